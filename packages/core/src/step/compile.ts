import { GradwareError } from '../errors.js';
import type { GraphBuilder } from '../graph/builder.js';
import { uniform } from '../graph/random.js';
import type { Value } from '../graph/value.js';
import { lower } from '../lowering/lower.js';
import type { Provider } from '../lowering/rule.js';
import { type Chain, createChain } from '../plugins/chain.js';
import {
  createRegistry,
  type LiveSettings,
  liveSetting,
  type Registry,
  stepScalar,
} from '../plugins/registry.js';
import type { Setting } from '../schedules/schedule.js';
import { commitStates } from './commit.js';
import { loopStages, singleStages } from './emit.js';
import { halfPrecision } from './half-precision.js';
import { type Feeding, names, type Part, type StateSpec, type StepProgram } from './program.js';
import type { TrainingGraph } from './training-graph.js';
import {
  accumulateGradients,
  type ChainPlan,
  type GroupUpdate,
  groupPrefix,
  type ParameterGroup,
  statisticsOf,
  updateParameters,
} from './update.js';

export interface CompileOptions {
  /** What works on the gradients of all groups, before their own chains. */
  readonly chain: ChainPlan;
  readonly groups: readonly ParameterGroup[];
  readonly provider: Provider;
  readonly part: Part;
  readonly feeding: Feeding;
  /** Settings that are read at every step, the learning rate among them. */
  readonly live: LiveSettings;
  readonly learningRate: Setting;
  readonly wantsMetric: (name: string) => boolean;
  /** Whether forward and backward pass compute in float16 where that is safe. Default false. */
  readonly halfPrecision?: boolean | undefined;
}

/** Compiles one step, or K in a Loop, into ordinary ONNX models. The builder of `graph` is used up. */
export function compileStep(graph: TrainingGraph, options: CompileOptions): StepProgram {
  const { builder } = graph;
  const { part, feeding } = options;
  const registry = createRegistry();
  const seed = builder.declare({ name: names.seed, type: 'uint32', shape: [] });
  const step = stepScalar(builder, registry, 'step', 'int32', (at) => at);
  const { shared, groups } = createChains(graph, registry, options, step, seed);

  if (part !== 'update') seedGradient(graph, shared);
  const records =
    part === 'backward'
      ? accumulateGradients(graph)
      : updateParameters(graph, registry, options.live, shared, groups);
  const all = [
    ...records,
    ...(part === 'update' ? [] : statisticsOf(graph)),
    ...registry.states.values(),
  ];
  const loss = part === 'update' ? undefined : asOutput(builder, graph.loss);
  // Called apart, the halves of a step do as ORT does: what a bad gradient may touch is the chain's business.
  const commit = commitStates(builder, registry, all, part === 'step' ? loss : undefined);

  const states = all.map(({ key, value, init }): StateSpec => {
    const next = commit.next.get(key) ?? value;
    return { key, value, init, next: next === value ? undefined : asOutput(builder, next).name };
  });
  if (feeding !== 'single' && registry.hosts.length > 0)
    throw new GradwareError('PLUGIN_CONTRACT', 'A plugin works on the host and does not say so', {
      where: `plugin ${registry.hosts[0]?.id}`,
      remedy:
        'A plugin that applies another names it in `inside`; then every step is a run of its own.',
    });
  const wanted = feeding === 'single' && part !== 'update' ? graph.outputs : [];
  const outputs = wanted.map((value) => asOutput(builder, value));
  const metrics = [...registry.metrics].map(
    ([name, value]) => [name, asOutput(builder, value)] as const,
  );
  const stops = commit.stops.map(({ when, owner, reason }) => {
    return { value: builder.op.Identity(when), owner, reason };
  });
  const end = [commit.diverged, ...stops.map(({ value }) => value)]
    .filter((value) => value !== undefined)
    .reduce<Value | undefined>((all, one) => (all ? builder.op.Or(all, one) : one), undefined);
  const collected = [
    loss,
    ...metrics.map(([, value]) => value),
    commit.dropped,
    ...stops.map(({ value }) => value),
  ].filter((value) => value !== undefined);
  const roots = new Set([
    ...collected.map((value) => value.name),
    ...outputs.map((value) => value.name),
    ...(feeding === 'single' || end === undefined ? [] : [end.name]),
    ...states.flatMap((state) => state.next ?? []),
  ]);
  const random = (shape: readonly number[], key: string) =>
    uniform(builder.op, { shape, seed, step, key });
  const ends = new Set(options.halfPrecision === true && part !== 'update' ? endsOf(graph) : []);
  const lowered = lower(builder, new Set([...roots, ...ends]), {
    provider: options.provider,
    random,
  });
  const nodes =
    ends.size === 0
      ? lowered
      : halfPrecision(builder, lowered, {
          outputs: roots,
          ends,
          weights: weightsOf(graph),
          imitates: options.provider === 'cpu' || options.provider === 'wasm',
        });
  const body = { builder, nodes, states, collected, seed, hosts: registry.hosts };
  return {
    part,
    feeding,
    stages:
      feeding === 'single'
        ? singleStages(body, [...roots])
        : loopStages(body, graph, [...registry.scalars.values()], end?.name, feeding),
    inputs: part === 'update' ? [] : graph.inputs,
    frozen: part === 'update' ? [] : graph.frozen,
    states,
    scalars: [...registry.scalars.values()],
    loss: loss?.name,
    metrics: new Map(metrics.map(([name, value]) => [name, value.name])),
    outputs: outputs.map((value) => value.name),
    dropped: commit.dropped?.name,
    stops: stops.map(({ value, owner, reason }) => ({ name: value.name, owner, reason })),
  };
}

function createChains(
  { builder, trainable }: TrainingGraph,
  registry: Registry,
  { chain, groups, live, learningRate, wantsMetric }: CompileOptions,
  step: Value,
  seed: Value,
): { readonly shared: Chain; readonly groups: readonly GroupUpdate[] } {
  const rate = (key: string, setting: Setting) =>
    liveSetting(builder, registry, live, key, setting, undefined);
  const common = rate('learningRate', learningRate);
  const rated = groups.map((group) => ({
    group,
    rate:
      group.learningRate === undefined
        ? common
        : rate(`${groupPrefix(group.name)}learningRate`, group.learningRate),
  }));
  const rates = new Map(
    rated.flatMap(({ group, rate: own }) => group.parameters.map((name) => [name, own] as const)),
  );
  const learningRateOf = (parameter: string) => rates.get(parameter) ?? common;
  const all = { builder, registry, live, step, seed, learningRateOf, wantsMetric };
  const parameters = trainable.map(({ parameter }) => parameter);
  const shared = createChain(chain.plugins, chain.ids, {
    ...all,
    learningRate: common,
    parameters,
  });
  return {
    shared,
    groups: rated.map(({ group, rate: own }) => {
      const names = new Set(group.parameters);
      const environment = {
        ...{ ...all, learningRate: own },
        parameters: parameters.filter(({ name }) => names.has(name)),
        group: { name: group.name, after: chain.plugins.length },
      };
      const { plugins, ids } = group.chain;
      return { group, learningRate: own, chain: createChain(plugins, ids, environment) };
    }),
  };
}

/** What the forward and the backward pass are there for. */
function endsOf({
  builder,
  trainable,
  statistics,
  loss,
  outputs,
}: TrainingGraph): readonly string[] {
  return [
    loss,
    ...trainable.map(({ gradient }) => gradient),
    ...statistics.map(({ next }) => next),
    ...outputs,
  ].flatMap((value) => (builder.producer(value) === undefined ? [] : [value.name]));
}

function weightsOf({ trainable, frozen }: TrainingGraph): ReadonlySet<string> {
  return new Set(
    [...trainable.map(({ parameter }) => parameter), ...frozen].map(({ name }) => name),
  );
}

/** Lets the plugins replace the gradient of the loss that the backward pass starts from: those of groups have no
 *  say in it. */
function seedGradient({ builder, seed }: TrainingGraph, chain: Chain): void {
  const one = builder.op.filled(seed, 1);
  const seeded = chain.seed(one);
  if (seeded.name !== one.name) builder.redirect(seed, seeded);
}

/** An output has to be made by a node: not an input, not a constant. */
function asOutput(builder: GraphBuilder, value: Value): Value {
  return builder.producer(value) === undefined ? builder.op.Identity(value) : value;
}
