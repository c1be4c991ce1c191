import { gradware } from '../graph/dialect.js';
import type { Value } from '../graph/value.js';
import { describe } from './check-chain.js';
import { createContext } from './context.js';
import type { ChainEnvironment } from './environment.js';
import { type Link, linkOf, nestedLink } from './link.js';
import type { GradientPlugin, Payload, PluginContext } from './plugin.js';
import { checkResults, guarded, tagged } from './results.js';
import { hypothetical, reportBytes } from './wire.js';

export interface Chain {
  seed(dLoss: Value): Value;
  transform(gradients: readonly Value[]): readonly Value[];
  transformUpdates(updates: readonly Value[]): readonly Value[];
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
        const asked = hypothetical(contextOf(environment, link, new Map()));
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
      where: link.where,
      parameters: values.map((value) => value.parameter ?? ''),
      learningRate: learningRate.name,
      isActive: link.isActive,
    });
    // On the host every gradient is float32.
    const wide = values.map((value) => builder.op.cast(value, 'float32'));
    const results = builder.emit(
      'Host',
      wide,
      { index: { type: 'int', value: index } },
      { domain: gradware, types: wide },
    );
    return results.map((result, i) => builder.op.cast(result, (values[i] as Value).type));
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
  const context = contextOf(environment, link, metrics);
  const results = guarded(link.where, values, builder.values, () =>
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

/** The context of a plugin, with others that it may apply. */
function contextOf(
  environment: ChainEnvironment,
  link: Link,
  metrics: Map<string, Value>,
): PluginContext {
  return createContext(environment, link, metrics, (inner, gradients) => {
    const nested = nestedLink(environment, link, inner, gradients);
    const hook = transformOf(inner, environment, nested);
    return hook === undefined
      ? gradients
      : visit(environment, nested, gradients, reported(hook, nested), metrics);
  });
}
