import { GradwareError } from '../../errors.js';
import type { Op } from '../../graph/builder.js';
import { tensorOf } from '../../graph/constants.js';
import {
  elementCount,
  int,
  normalizeAxis,
  type TensorType,
  type Value,
} from '../../graph/value.js';
import { type LoweringContext, lowerings } from '../rule.js';
import { type Spread, spread } from './spread.js';

function indices64(op: Op, indices: Value): Value {
  return op.cast(indices, 'int64');
}

/** Adds rows of dY at `rows` of zeros, which come first. */
function addRows(op: Op, rows: Value, updates: Value, result: TensorType): Value {
  const at = op.reshape(indices64(op, rows), [elementCount(rows.shape), 1]);
  return op.ScatterND(op.zeros(result), at, updates, { reduction: 'add' });
}

function gatherGrad({ op, x: [, indices, dy], y: [dx], attributes }: LoweringContext): Value {
  const axis = normalizeAxis(int(attributes, 'axis', 0), dx.shape.length);
  const outer = elementCount(dx.shape.slice(0, axis));
  const inner = elementCount(dx.shape.slice(axis + 1));
  const [count, length] = [elementCount(indices.shape), dx.shape[axis] ?? 0];
  const rows = op.transpose(op.reshape(dy, [outer, count, inner]), [1, 0, 2]);
  const total = { type: dy.type, shape: [length, outer, inner] };
  return op.reshape(op.transpose(addRows(op, indices, rows, total), [1, 0, 2]), dx.shape);
}

/** The coordinates of batch axes, written in front of each index. */
function withBatch(op: Op, indices: Value, batch: number): Value {
  if (batch === 0) return indices;
  const [lead, rest] = [indices.shape.slice(0, batch), indices.shape.slice(batch, -1)];
  const coordinates = lead.map((dim, axis) => {
    const shape = [...indices.shape.slice(0, -1), 1];
    const inner = elementCount([...lead.slice(axis + 1), ...rest]);
    const values = Array.from(
      { length: elementCount(shape) },
      (_, i) => Math.floor(i / inner) % dim,
    );
    return op.constant(tensorOf('int64', values, shape));
  });
  return op.Concat(...coordinates, indices, { axis: -1 });
}

/** Where a Slice takes its elements from, if its bounds are known: one entry per axis. */
function slices({ x, y: [dx], constant, has }: LoweringContext): readonly Spread[] | undefined {
  const [starts, ends] = [constant(x[2]), constant(x[3])];
  const axes = has(4) ? constant(x[4]) : starts?.map((_, i) => i);
  const steps = has(5) ? constant(x[5]) : starts?.map(() => 1);
  if (!starts || !ends || !axes || !steps) return undefined;
  return axes.map((given, i) => {
    const axis = normalizeAxis(given, dx.shape.length);
    const [size, step, start] = [dx.shape[axis] ?? 0, steps[i] ?? 1, starts[i] ?? 0];
    const from = start < 0 ? start + size : start;
    const begin = Math.min(Math.max(from, 0), step > 0 ? size : size - 1);
    return { axis, begin, step, size };
  });
}

/** The elements of a backward slice in forward order. */
function forward(op: Op, dy: Value, taken: readonly Spread[]): readonly [Value, readonly Spread[]] {
  const backward = taken.filter(({ step }) => step < 0);
  if (backward.length === 0) return [dy, taken];
  const ends = op.ints(backward.map(({ axis }) => -(dy.shape[axis] ?? 0) - 1));
  const ones = op.ints(backward.map(() => -1));
  const flipped = op.Slice(dy, ones, ends, op.ints(backward.map(({ axis }) => axis)), ones);
  const turned = taken.map((s) =>
    s.step > 0
      ? s
      : { ...s, begin: s.begin + ((dy.shape[s.axis] ?? 1) - 1) * s.step, step: -s.step },
  );
  return [flipped, turned];
}

function sliceGrad(context: LoweringContext): Value {
  const { op, x, y, node } = context;
  const [dy, dx] = [x[0], y[0]];
  const taken = slices(context);
  if (elementCount(dy.shape) === 0) return op.zeros(dx);
  if (taken !== undefined) return spread(op, ...forward(op, dy, taken));
  throw new GradwareError(
    'NO_LOWERING',
    'The bounds of a Slice that is differentiated depend on data',
    {
      where: `node ${node.name}`,
      remedy: 'Give starts, ends, axes and steps as constants.',
    },
  );
}

export const indexing = lowerings({
  GatherGrad: gatherGrad,
  GatherElementsGrad: ({ op, x: [dy, , indices], y: [dx], attributes }) =>
    op.ScatterElements(op.zeros(dx), indices64(op, indices), dy, {
      axis: int(attributes, 'axis', 0),
      reduction: 'add',
    }),
  GatherNDGrad: ({ op, x: [, indices, dy], y: [dx], attributes }) => {
    const at = withBatch(op, indices64(op, indices), int(attributes, 'batch_dims', 0));
    return op.ScatterND(op.zeros(dx), at, dy, { reduction: 'add' });
  },
  SliceGrad: sliceGrad,
  SplitTraining: ({ op, x: [data, sizes], attributes }) =>
    op.Split(data, sizes, { axis: int(attributes, 'axis', 0) }),
  ConcatTraining: ({ op, node, x, attributes }) => {
    const parts = x.slice(0, node.inputs.length);
    const rank = parts[0]?.shape.length ?? 0;
    const axis = int(attributes, 'axis', 0);
    const lengths = parts.map((part) => part.shape[normalizeAxis(axis, rank)] ?? 0);
    return [op.Concat(...parts, { axis }), op.ints(lengths)];
  },
});
