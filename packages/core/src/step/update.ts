import { filled } from '../graph/constants.js';
import type { Value } from '../graph/value.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import type { Chain } from '../plugins/chain.js';
import type { GradientPlugin } from '../plugins/plugin.js';
import {
  type LiveSettings,
  liveSetting,
  ownState,
  type Registry,
  type StateRecord,
} from '../plugins/registry.js';
import { names } from './program.js';
import type { TrainingGraph } from './training-graph.js';

/** Parameters that share a chain, an optimizer and a learning rate. */
export interface ParameterGroup {
  /** Empty for the one group that holds all. */
  readonly name: string;
  readonly parameters: readonly string[];
  readonly plugins: readonly GradientPlugin[];
  readonly ids: readonly string[];
  readonly optimizer: Optimizer;
}

function record(key: string, value: Value, next: Value, parameter?: string): StateRecord {
  return {
    key,
    value,
    next,
    init: () => filled(value.type, value.shape, 0),
    place: Number.POSITIVE_INFINITY,
    parameter,
    survives: false,
    active: undefined,
  };
}

/** Running statistics are undone with a dropped step, but do not wait with the parameters. */
export function statisticsOf({ statistics }: TrainingGraph): readonly StateRecord[] {
  return statistics.map(({ value, next }) => ({
    ...record(`statistic/${value.name}`, value, next),
    place: Number.NEGATIVE_INFINITY,
  }));
}

/** Gradients add up from call to call until somebody resets them, as in ORT. */
export function accumulateGradients(graph: TrainingGraph): StateRecord[] {
  const { builder } = graph;
  const reset = builder.declare({ name: names.reset, type: 'bool', shape: [] });
  const { op } = builder;
  const buffers = graph.trainable.map(({ parameter }) =>
    builder.declare({
      ...parameter,
      name: `gradient/${parameter.name}`,
      parameter: parameter.name,
    }),
  );
  const gradients = graph.trainable.map(({ gradient }) => gradient);
  const sums = gradients.map((gradient, i) => op.Add(buffers[i] as Value, gradient));
  const next = op.select(reset, gradients, sums);
  return buffers.map((buffer, i) =>
    record(buffer.name, buffer, next[i] as Value, buffer.parameter),
  );
}

/** Chain, optimizer, w ← w + Δ. */
export function updateParameters(
  graph: TrainingGraph,
  registry: Registry,
  live: LiveSettings,
  group: ParameterGroup,
  chain: Chain,
  learningRate: Value,
): StateRecord[] {
  const { builder } = graph;
  const { op } = builder;
  const wanted = new Set(group.parameters);
  const own = graph.trainable.filter(({ parameter }) => wanted.has(parameter.name));
  const gradients = chain.transform(
    own.map(({ parameter, gradient }) => ({ ...gradient, parameter: parameter.name })),
  );
  const prefix = group.name === '' ? 'optimizer/' : `optimizer/${group.name}/`;
  const owner = { prefix, place: Number.POSITIVE_INFINITY, active: undefined };
  const { optimizer } = group;
  const updates = builder.scoped(optimizer.name, () => {
    const count = ownState(builder, registry, owner, 'count', { dtype: 'int32' });
    const current = count.set(op.Add(count.value, 1));
    return optimizer.update(gradients, {
      op,
      learningRate,
      count: current,
      parameter: (gradient) => builder.value(gradient.parameter ?? gradient.name),
      state: (key, state) => ownState(builder, registry, owner, key, state),
      setting: (name) =>
        liveSetting(
          builder,
          registry,
          live,
          `${group.name === '' ? '' : `${group.name}/`}${optimizer.name}.${name}`,
          optimizer.settings[name] ?? 0,
          optimizer.kinds?.[name],
        ),
    });
  });
  const final = chain.transformUpdates(
    updates.map((update, i) => ({ ...update, parameter: own[i]?.parameter.name })),
  );
  return own.map(({ parameter }, i) =>
    record(
      `parameter/${parameter.name}`,
      parameter,
      op.Add(parameter, final[i] as Value),
      parameter.name,
    ),
  );
}
