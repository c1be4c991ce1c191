import { GradwareError } from '../errors.js';
import type { GraphBuilder } from '../graph/builder.js';
import { gradware } from '../graph/dialect.js';
import { uniform } from '../graph/random.js';
import type { Value } from '../graph/value.js';
import { describe } from './check-chain.js';
import { type ParameterInfo, selectParameters } from './match.js';
import type { GradientPlugin, Payload, PluginContext } from './plugin.js';
import {
  type Hold,
  type LiveSettings,
  liveSetting,
  ownState,
  type Registry,
  stepScalar,
} from './registry.js';
import { checkResults, guarded, tagged } from './results.js';
import { hypothetical, reportBytes } from './wire.js';

/** Everything that a chain needs to know of the step that it becomes part of. */
export interface ChainEnvironment {
  readonly builder: GraphBuilder;
  readonly registry: Registry;
  readonly live: LiveSettings;
  readonly step: Value;
  readonly seed: Value;
  readonly learningRate: Value;
  readonly learningRateOf: (parameter: string) => Value;
  /** Whether anybody listens to this metric. */
  readonly wantsMetric: (name: string) => boolean;
  /** The parameters that this chain is for. */
  readonly parameters: readonly ParameterInfo[];
  /** The group whose own chain this is: its holds concern `parameters` only. Undefined for the chain of all. */
  readonly group?: GroupPlace | undefined;
}

/** Where the chain of a group stands. */
export interface GroupPlace {
  readonly name: string;
  /** How many plugins work on all groups, before those of the group. */
  readonly after: number;
}

export interface Chain {
  seed(dLoss: Value): Value;
  transform(gradients: readonly Value[]): readonly Value[];
  transformUpdates(updates: readonly Value[]): readonly Value[];
}

/** A plugin at its place in the chain. */
interface Link {
  readonly plugin: GradientPlugin;
  readonly id: string;
  readonly place: number;
  /** What messages call it. */
  readonly where: string;
  /** The parameters that it works on. */
  readonly selected: ReadonlySet<string>;
  /** When it works, and everything around it; its state rests otherwise. */
  readonly active: Value | undefined;
  /** When it works itself: what it does is masked by that. */
  readonly mask: Value | undefined;
  readonly isActive: (step: number) => boolean;
}

function isActiveAt({ from = 0, until = Number.POSITIVE_INFINITY, every = 1 }: GradientPlugin) {
  return (step: number) => step >= from && step < until && (step - from) % every === 0;
}

/** Lays out the chain; nothing is emitted until one of its hooks is called. */
export function createChain(
  plugins: readonly GradientPlugin[],
  ids: readonly string[],
  environment: ChainEnvironment,
): Chain {
  const { parameters, group } = environment;
  const links = plugins.map((plugin, i) =>
    linkOf(environment, {
      ...{ plugin, id: ids[i] ?? plugin.name, parameters },
      place: (group?.after ?? 0) + i,
      where: describe(plugin, i, group?.name),
    }),
  );

  return {
    seed: (dLoss) =>
      links.reduce((current, link) => {
        const { plugin } = link;
        if (plugin.seed === undefined) return current;
        const hook = ([value]: readonly Value[], context: PluginContext) => [
          plugin.seed?.(value as Value, context) ?? (value as Value),
        ];
        return runMasked(environment, link, [current], hook)[0] ?? current;
      }, dLoss),
    transform: (gradients) =>
      links.reduce((current, link) => {
        const hook = transformOf(link.plugin, environment, link);
        return hook === undefined
          ? current
          : visit(environment, link, current, reported(hook, link));
      }, gradients),
    transformUpdates: (updates) =>
      links.reduce((current, link) => {
        const { plugin } = link;
        if (plugin.transformUpdates === undefined) return current;
        return visit(
          environment,
          link,
          current,
          (selected, context) => plugin.transformUpdates?.(selected, context) ?? selected,
        );
      }, updates),
  };
}

type Hook = (values: readonly Value[], context: PluginContext) => readonly Value[];

/** Finds out when a plugin works, and on which of these parameters. */
function linkOf(
  { builder, registry }: ChainEnvironment,
  {
    plugin,
    id,
    place,
    where,
    parameters,
  }: Pick<Link, 'plugin' | 'id' | 'place' | 'where'> & {
    readonly parameters: readonly ParameterInfo[];
  },
): Link {
  const isActive = isActiveAt(plugin);
  const masked =
    plugin.from !== undefined || plugin.until !== undefined || plugin.every !== undefined;
  const flag = (step: number) => (isActive(step) ? 1 : 0);
  const mask = masked ? stepScalar(builder, registry, `${id}.active`, 'bool', flag) : undefined;
  return {
    ...{ plugin, id, place, where },
    selected: new Set(selectParameters(parameters, plugin, where).map(({ name }) => name)),
    active: mask,
    mask,
    isActive,
  };
}

/** Runs one hook on what it selects and merges the results. */
function visit(
  environment: ChainEnvironment,
  link: Link,
  values: readonly Value[],
  hook: Hook,
  metrics?: Map<string, Value>,
): readonly Value[] {
  const chosen = values.filter((value) => link.selected.has(value.parameter ?? ''));
  if (chosen.length === 0) return values;
  const results = runMasked(environment, link, chosen, hook, metrics);
  const byParameter = new Map(chosen.map((value, i) => [value.parameter, results[i] ?? value]));
  return values.map((value) => byParameter.get(value.parameter) ?? value);
}

/** Reports what a hook did to its gradients, where the plugin is asked to. */
function reported(hook: Hook, { plugin, where }: Link): Hook {
  if (plugin.report !== true) return hook;
  return (values, context) => {
    const results = hook(values, context);
    checkResults(values, results, where);
    context.metric('norm-before', context.op.globalNorm(values));
    context.metric('norm-after', context.op.globalNorm(results));
    context.metric('angle', context.op.angle(values, results));
    return results;
  };
}

/** The hook of a plugin that stands between backward pass and optimizer: its transform, what encode and decode
 *  make together, or a cut for the host. */
function transformOf(
  plugin: GradientPlugin,
  environment: ChainEnvironment,
  link: Link,
): Hook | undefined {
  const { builder, registry, learningRate } = environment;
  const { transform, encode, decode } = plugin;
  if (transform !== undefined)
    return (values, context) => {
      const results = transform.call(plugin, values, context);
      if (encode !== undefined && countsBytes(environment, link)) {
        const asked = hypothetical(createContext(environment, link, new Map()));
        const payloads = values.map((value) => encode.call(plugin, value, asked));
        reportBytes(context, values, payloads);
      }
      return results;
    };
  if (encode !== undefined && decode !== undefined)
    return (values, context) => {
      const payloads = values.map((value) => encode.call(plugin, value, context));
      reportBytes(context, values, payloads);
      return values.map((value, i) => decode.call(plugin, payloads[i] as Payload, context, value));
    };
  if (plugin.transformHost === undefined) return undefined;
  return (values, context) => {
    // Declared here, so that the host can read them.
    for (const name of Object.keys(plugin.settings ?? {})) context.setting(name);
    const index = registry.hosts.length;
    registry.hosts.push({
      plugin,
      id: link.id,
      parameters: values.map((value) => value.parameter ?? ''),
      learningRate: learningRate.name,
      isActive: link.isActive,
    });
    return builder.emit(
      'Host',
      values,
      { index: { type: 'int', value: index } },
      { domain: gradware, types: values },
    );
  };
}

/** Whether anybody wants to know what a compressor would send. */
function countsBytes({ wantsMetric }: ChainEnvironment, { id }: Link): boolean {
  return wantsMetric(`${id}.bytes`) || wantsMetric(`${id}.bits-per-element`);
}

/** Runs a hook, checks what it returns, and masks it where the plugin rests at some steps.
 *  @param sink where its metrics go */
function runMasked(
  environment: ChainEnvironment,
  link: Link,
  values: readonly Value[],
  hook: Hook,
  sink: Map<string, Value> = environment.registry.metrics,
): readonly Value[] {
  const { builder } = environment;
  const metrics = new Map<string, Value>();
  const context = createContext(environment, link, metrics);
  const results = guarded(link.where, values, () =>
    builder.scoped(link.id, () => hook(values, context)),
  );
  if (link.mask === undefined) {
    for (const [name, value] of metrics) sink.set(name, value);
    return results;
  }
  const { mask } = link;
  const names = [...metrics.keys()];
  const idle = names.map(() => builder.op.scalar(Number.NaN));
  const chosen = builder.scoped(link.id, () =>
    builder.op.select(mask, [...results, ...metrics.values()], [...values, ...idle]),
  );
  names.forEach((name, i) => {
    sink.set(name, chosen[results.length + i] as Value);
  });
  return tagged(values, chosen.slice(0, results.length));
}

function createContext(
  environment: ChainEnvironment,
  link: Link,
  metrics: Map<string, Value>,
): PluginContext {
  const { builder, registry, live, step, seed, learningRate, wantsMetric, group } = environment;
  const { op } = builder;
  const { plugin, id, place, active, where } = link;
  const names = environment.parameters.map(({ name }) => name);
  const scope = group && new Set(names);
  const draws = new Map<string, number>();

  function concerned(gradients: readonly Value[] | undefined): ReadonlySet<string> | undefined {
    const some = new Set(gradients?.map((gradient) => gradient.parameter ?? '') ?? names);
    // What holds every parameter holds also what belongs to none: the optimizer's count.
    return group !== undefined || !names.every((name) => some.has(name)) ? some : undefined;
  }

  function held(when: Value, gradients?: readonly Value[]): Hold {
    if (when.type !== 'bool' || when.shape.length > 0)
      throw new GradwareError(
        'PLUGIN_CONTRACT',
        `A condition must be a bool scalar, not ${when.type}[${when.shape}]`,
        { where },
      );
    return {
      when: active === undefined ? when : op.And(active, when),
      place,
      parameters: concerned(gradients),
    };
  }

  return {
    op,
    step,
    learningRate,
    learningRateOf: (gradient) => environment.learningRateOf(gradient.parameter ?? ''),
    parameter: (gradient) => builder.value(gradient.parameter ?? gradient.name),
    state: (key, options) =>
      ownState(builder, registry, { prefix: `plugin/${id}.`, place, scope, active }, key, options),
    setting(name) {
      const initial = plugin.settings?.[name];
      if (initial === undefined)
        throw new GradwareError('PLUGIN_CONTRACT', `There is no setting "${name}"`, { where });
      return liveSetting(builder, registry, live, `${id}.${name}`, initial, plugin.kinds?.[name]);
    },
    apply(inner, gradients) {
      const own = linkOf(environment, {
        ...{ plugin: inner, id: `${id}/${inner.id ?? inner.name}`, place },
        where: `plugin ${inner.id ?? inner.name} inside ${where}`,
        parameters: gradients.map(({ parameter = '', shape }) => ({ name: parameter, shape })),
      });
      const nested: Link = {
        ...own,
        active: active && own.active ? op.And(active, own.active) : (own.active ?? active),
        isActive: (at) => link.isActive(at) && own.isActive(at),
      };
      const hook = transformOf(inner, environment, nested);
      return hook === undefined
        ? gradients
        : visit(environment, nested, gradients, reported(hook, nested), metrics);
    },
    wait: (when, gradients) => registry.waits.push(held(when, gradients)),
    drop: (when, gradients) => registry.drops.push(held(when, gradients)),
    stop: (when, reason) => registry.stops.push({ ...held(when), owner: id, reason }),
    metric(key, value) {
      const name = `${id}.${key}`;
      if (wantsMetric(name)) metrics.set(name, op.cast(op.reshape(value, []), 'float32'));
    },
    random({ like, key }) {
      const owner = `${id}/${like.parameter ?? ''}`;
      const draw = draws.get(owner) ?? 0;
      if (key === undefined) draws.set(owner, draw + 1);
      return uniform(op, { shape: like.shape, seed, step, key: `${owner}/${key ?? draw}` });
    },
  };
}
