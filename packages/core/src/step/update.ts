import { filled } from '../graph/constants.js';
import type { Value } from '../graph/value.js';
import {
  type Hold,
  liveSetting,
  ownState,
  type StateOwner,
  type StateRecord,
  type StepWriter,
} from '../plugins/registry.js';
import type { GroupUpdate, StepChains } from './chains.js';
import { groupPrefix, optimizerPrefix } from './groups.js';
import { names, type Part } from './program.js';
import type { TrainingGraph } from './training-graph.js';

function record(key: string, value: Value, next: Value, parameter?: string): StateRecord {
  return {
    key,
    value,
    next,
    init: () => filled(value.type, value.shape, 0),
    place: Number.POSITIVE_INFINITY,
    parameter,
    scope: undefined,
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

/** Chain of all, then for each group its own and its optimizer, then w ← w + Δ. In a half of its own, gradients that
 *  an optimizer changes in place are changed, unless a plugin stands between. */
export function updateParameters(
  writer: StepWriter,
  { trainable }: TrainingGraph,
  { shared, groups }: StepChains,
  part: Part,
): StateRecord[] {
  const { op } = writer.builder;
  const given = trainable.map(({ parameter, gradient }) => ({
    ...gradient,
    parameter: parameter.name,
  }));
  const raw = new Map(given.map((gradient) => [gradient.name, gradient]));
  const gradients = shared.transform(given);
  const changedInPlace: StateRecord[] = [];
  const updates = groups.flatMap((group) => {
    const { optimizer } = group.group;
    const read = group.chain.transform(ownOf(group, gradients));
    const prepared = optimizer.prepare?.(read, op) ?? read;
    const kept = prepared.map((value, i) => ({ ...value, parameter: read[i]?.parameter }));
    read.forEach(({ name }, i) => {
      const [buffer, next] = [raw.get(name), kept[i]];
      if (part !== 'update' || buffer === undefined || next === undefined) return;
      if (next.name !== name) changedInPlace.push(record(name, buffer, next, buffer.parameter));
    });
    return runOptimizer(writer, group, kept);
  });
  const changed = shared.transformUpdates(updates);
  const final = new Map(
    groups
      .flatMap((group) => group.chain.transformUpdates(ownOf(group, changed)))
      .map((update) => [update.parameter, update]),
  );
  const parameters = trainable.map(({ parameter }) => {
    const { name } = parameter;
    const next = op.Add(parameter, final.get(name) as Value);
    return record(`parameter/${name}`, parameter, next, name);
  });
  return [...parameters, ...changedInPlace];
}

function ownOf({ group }: GroupUpdate, values: readonly Value[]): readonly Value[] {
  const own = new Set(group.parameters);
  return values.filter(({ parameter = '' }) => own.has(parameter));
}

function runOptimizer(
  writer: StepWriter,
  { group, learningRate }: GroupUpdate,
  gradients: readonly Value[],
): readonly Value[] {
  const { builder, registry } = writer;
  const { op } = builder;
  const { name, optimizer } = group;
  const owner = {
    prefix: optimizerPrefix(name),
    place: Number.POSITIVE_INFINITY,
    scope: new Set(group.parameters),
    active: undefined,
  };
  const settingsOf = `${groupPrefix(name)}${optimizer.name}`;
  const updates = builder.scoped(settingsOf, () => {
    const count = ownState(builder, registry, owner, 'count', { dtype: 'int32' });
    const current = count.set(op.Add(count.value, 1));
    return optimizer.update(gradients, {
      op,
      learningRate,
      count: current,
      countOf: countsOf(writer, owner, current),
      parameter: (gradient) => builder.value(gradient.parameter ?? gradient.name),
      state: (key, state) => ownState(builder, registry, owner, key, state),
      setting: (key) => {
        const setting = optimizer.settings[key] ?? 0;
        const kind = optimizer.kinds?.[key];
        return liveSetting(writer, `${settingsOf}.${key}`, { setting, kind });
      },
    });
  });
  return updates.map((update, i) => ({ ...update, parameter: gradients[i]?.parameter }));
}

/** Updates made of a parameter: the optimizer's, less those that a plugin held it back from. */
function countsOf(
  { builder, registry }: StepWriter,
  owner: StateOwner,
  count: Value,
): (gradient: Value) => Value {
  const { op } = builder;
  // What holds all of them holds their count, too.
  const apart = registry.waits.filter(
    ({ parameters }) =>
      parameters && [...(owner.scope ?? [])].some((name) => !parameters.has(name)),
  );
  const known = new Map([['', count]]);
  return ({ parameter = '' }) => {
    const holds = apart.filter(({ parameters }) => parameters?.has(parameter));
    const key = holds.map((hold) => `${hold.owner}.${placeAmongOwn(hold)}`).join('+');
    const own = known.get(key) ?? lessHeld(holds, key);
    known.set(key, own);
    return own;
  };

  function placeAmongOwn(hold: Hold): number {
    return apart.filter(({ owner: id }) => id === hold.owner).indexOf(hold);
  }

  function lessHeld(holds: readonly Hold[], key: string): Value {
    const held = ownState(builder, registry, owner, `held/${key}`, { dtype: 'int32' });
    const now = holds.map(({ when }) => when).reduce((some, when) => op.Or(some, when));
    held.set(op.Add(held.value, op.cast(now, 'int32')));
    return op.Sub(count, held.value);
  }
}
