import { GradwareError } from '../errors.js';
import type { GraphBuilder } from '../graph/builder.js';
import { uniform } from '../graph/random.js';
import type { Value } from '../graph/value.js';
import { lower } from '../lowering/lower.js';
import type { LoweringRules, Provider } from '../lowering/rule.js';
import type { Node } from '../onnx/ir.js';
import type { Chain } from '../plugins/chain.js';
import {
  createRegistry,
  type LiveSettings,
  type Registry,
  type StopRequest,
  stepScalar,
} from '../plugins/registry.js';
import { type ChainsPlan, createChains } from './chains.js';
import { type Commit, commitStates } from './commit.js';
import { loopStages, singleStages } from './emit.js';
import type { HalfPrecision } from './half-precision.js';
import { type Feeding, names, type Part, type StateSpec, type StepProgram } from './program.js';
import type { TrainingGraph } from './training-graph.js';
import { accumulateGradients, statisticsOf, updateParameters } from './update.js';

export interface CompileOptions extends ChainsPlan {
  readonly provider: Provider;
  readonly part: Part;
  readonly feeding: Feeding;
  /** Settings that are read at every step, the learning rate among them. */
  readonly live: LiveSettings;
  readonly wantsMetric: (name: string) => boolean;
  /** Lets forward and backward pass compute in float16 where that is safe. */
  readonly halfPrecision?: HalfPrecision | undefined;
  /** See LowerOptions.rules: for float32. */
  readonly loweringRules?: LoweringRules | undefined;
}

/** Compiles one step, or K in a Loop, into ordinary ONNX models. The builder of `graph` is used up. */
export function compileStep(graph: TrainingGraph, options: CompileOptions): StepProgram {
  const { builder } = graph;
  const { part, feeding, live, wantsMetric } = options;
  const registry = createRegistry();
  const writer = { builder, registry, live };
  const seed = builder.declare({ name: names.seed, type: 'uint32', shape: [] });
  const step = stepScalar(builder, registry, 'step', 'int32', (at) => at);
  const chains = createChains(graph, options, { ...writer, step, seed, wantsMetric });

  if (part !== 'update') seedGradient(graph, chains.shared);
  const records = [
    ...(part === 'backward'
      ? accumulateGradients(graph)
      : updateParameters(writer, graph, chains, part)),
    ...(part === 'update' ? [] : statisticsOf(graph)),
    ...registry.states.values(),
  ];
  const loss = part === 'update' ? undefined : asOutput(builder, graph.loss);
  // Called apart, the halves of a step do as ORT does: what a bad gradient may touch is the chain's business.
  const commit = commitStates(builder, registry, records, part === 'step' ? loss : undefined);
  const states = records.map(({ key, value, init }): StateSpec => {
    const next = commit.next.get(key) ?? value;
    return { key, value, init, next: next === value ? undefined : asOutput(builder, next).name };
  });
  if (feeding !== 'single') refuseHosts(registry);

  const outputs = feeding === 'single' && part !== 'update' ? graph.outputs : [];
  const reports = reportsOf(builder, registry, commit);
  const { metrics, stops, end } = reports;
  const collected = [loss, ...metrics.values(), commit.dropped, ...stops.map(({ when }) => when)];
  const read = collected.filter((value) => value !== undefined);
  const returned = outputs.map((value) => asOutput(builder, value).name);
  const roots = new Set([
    ...read.map(({ name }) => name),
    ...returned,
    ...(feeding === 'single' || end === undefined ? [] : [end.name]),
    ...states.flatMap((state) => state.next ?? []),
  ]);
  const nodes = lowerStep(graph, options, { roots, step, seed });
  const body = { builder, nodes, states, collected: read, seed, hosts: registry.hosts };
  const scalars = [...registry.scalars.values()];
  return {
    part,
    feeding,
    stages:
      feeding === 'single'
        ? singleStages(body, [...roots])
        : loopStages(body, graph, { scalars, stop: end?.name, feeding }),
    inputs: part === 'update' ? [] : graph.inputs,
    frozen: part === 'update' ? [] : graph.frozen,
    states,
    scalars,
    loss: loss?.name,
    metrics: new Map([...metrics].map(([name, value]) => [name, value.name])),
    outputs: returned,
    dropped: commit.dropped?.name,
    stops: stops.map(({ when, owner, reason }) => ({ name: when.name, owner, reason })),
  };
}

/** A Loop cannot stop for the host. */
function refuseHosts({ hosts: [first] }: Registry): void {
  if (first === undefined) return;
  throw new GradwareError('PLUGIN_CONTRACT', 'A plugin works on the host and does not say so', {
    where: `plugin ${first.id}`,
    remedy:
      'A plugin that applies another names it in `inside`; then every step is a run of its own.',
  });
}

interface Reports {
  readonly metrics: ReadonlyMap<string, Value>;
  readonly stops: readonly StopRequest[];
  /** Whether a Loop goes no further; undefined where nothing ever ends it. */
  readonly end: Value | undefined;
}

/** What plugins tell the host, as outputs. */
function reportsOf(
  builder: GraphBuilder,
  registry: Registry,
  { diverged, stops: asked }: Commit,
): Reports {
  const { op } = builder;
  const metrics = new Map(
    [...registry.metrics].map(([name, value]) => [name, asOutput(builder, value)]),
  );
  const stops = asked.map((stop) => ({ ...stop, when: op.Identity(stop.when) }));
  const end = [diverged, ...stops.map(({ when }) => when)]
    .filter((value) => value !== undefined)
    .reduce<Value | undefined>((all, one) => (all ? op.Or(all, one) : one), undefined);
  return { metrics, stops, end };
}

interface LoweredStep {
  /** What the nodes have to make. */
  readonly roots: ReadonlySet<string>;
  readonly step: Value;
  readonly seed: Value;
}

/** The nodes of a step in standard ops, in float16 where that was asked for. */
function lowerStep(
  graph: TrainingGraph,
  { provider, part, halfPrecision, loweringRules }: CompileOptions,
  { roots, step, seed }: LoweredStep,
): readonly Node[] {
  const { builder } = graph;
  const ends = new Set(halfPrecision && part !== 'update' ? endsOf(graph) : []);
  const nodes = lower(builder, new Set([...roots, ...ends]), {
    provider,
    random: (shape, key) => uniform(builder.op, { shape, seed, step, key }),
    rules: halfPrecision ? undefined : loweringRules,
  });
  if (halfPrecision === undefined || ends.size === 0) return nodes;
  const imitates = provider === 'cpu' || provider === 'wasm';
  return halfPrecision(builder, nodes, {
    outputs: roots,
    ends,
    weights: weightsOf(graph),
    imitates,
  });
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
