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
import { signedInt32, wrapInt32 } from './labels.js';
import { type Spread, spread } from './spread.js';

function indices64(op: Op, indices: Value): Value {
  return op.cast(indices, 'int64');
}

/** Adds rows of dY at `rows` of zeros, which come first. */
function addRows(
  { op, provider }: LoweringContext,
  rows: Value,
  updates: Value,
  result: TensorType,
): Value {
  // webgpu reads int64 as indices, but cannot even reshape it.
  const wide = provider === 'webgpu' && rows.type === 'int64';
  const plain = wide ? wrapInt32(op, rows, result.shape[0] ?? 0) : rows;
  const at = indices64(op, op.reshape(plain, [elementCount(rows.shape), 1]));
  return op.ScatterND(op.zeros(result), at, updates, { reduction: 'add' });
}

function gatherGrad(context: LoweringContext): Value {
  const {
    op,
    x: [, indices, dy],
    y: [dx],
    attributes,
  } = context;
  const axis = normalizeAxis(int(attributes, 'axis', 0), dx.shape.length);
  const outer = elementCount(dx.shape.slice(0, axis));
  const inner = elementCount(dx.shape.slice(axis + 1));
  const [count, length] = [elementCount(indices.shape), dx.shape[axis] ?? 0];
  const rows = op.transpose(op.reshape(dy, [outer, count, inner]), [1, 0, 2]);
  const total = { type: dy.type, shape: [length, outer, inner] };
  return op.reshape(op.transpose(addRows(context, indices, rows, total), [1, 0, 2]), dx.shape);
}

/** Where each index points in the axes that it names and the batch axes before them, taken as one: int32, with
 *  products and sums alone, as webgpu has none of int64. */
function flatIndices(op: Op, indices: Value, shape: readonly number[], batch: number): Value {
  const depth = indices.shape.at(-1) ?? 0;
  const lead = indices.shape.slice(0, -1);
  const named = shape.slice(0, batch + depth);
  const strideAt = (axis: number) => elementCount(named.slice(axis + 1));
  const perBatch = elementCount(lead.slice(batch));
  const whole = { type: 'int32', shape: lead } as const;
  const start = Array.from(
    { length: elementCount(lead) },
    (_, n) => Math.floor(n / perBatch) * strideAt(batch - 1),
  );
  let flat: Value = op.constant(tensorOf(whole.type, start, lead));
  const longest = Math.max(...named.slice(batch));
  const signed = indices.type === 'int32' ? indices : signedInt32(op, indices, longest, longest);
  for (let d = 0; d < depth; d++) {
    const at = op.Gather(signed, op.scalar(d, 'int64'), { axis: lead.length });
    const size = named[batch + d] ?? 1;
    const wrapped = op.Where(op.Less(at, 0), op.Add(at, size), at);
    flat = op.Add(flat, op.Mul(wrapped, strideAt(batch + d)));
  }
  return flat;
}

/** Adds each slice of dY where its index says. With batch axes the slices are rows of a matrix: ScatterND knows of
 *  no batches. */
function gatherNDGrad({ op, x: [, indices, dy], y: [dx], attributes }: LoweringContext): Value {
  const batch = int(attributes, 'batch_dims', 0);
  if (batch === 0)
    return op.ScatterND(op.zeros(dx), indices64(op, indices), dy, { reduction: 'add' });
  const depth = indices.shape.at(-1) ?? 0;
  const rows = elementCount(dx.shape.slice(0, batch + depth));
  const width = elementCount(dx.shape.slice(batch + depth));
  const flat = flatIndices(op, indices, dx.shape, batch);
  const count = elementCount(flat.shape);
  const at = op.Expand(op.reshape(flat, [count, 1]), op.ints([count, width]));
  const zeros = op.zeros({ type: dx.type, shape: [rows, width] });
  const sum = op.ScatterElements(zeros, at, op.reshape(dy, [count, width]), { reduction: 'add' });
  return op.reshape(sum, dx.shape);
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

/** Rows of [first, second, ...] that are not padding, by their place in both axes taken as one. */
function unpad({ op, x: [data, rows] }: LoweringContext): readonly Value[] {
  const [first = 1, second = 1, ...rest] = data.shape;
  const flat = op.reshape(data, [first * second, ...rest]);
  return [op.Gather(flat, rows, { axis: 0 }), op.ints([first, second])];
}

export const indexing = lowerings({
  GatherGrad: gatherGrad,
  GatherElementsGrad: ({ op, x: [dy, , indices], y: [dx], attributes }) =>
    op.ScatterElements(op.zeros(dx), indices64(op, indices), dy, {
      axis: int(attributes, 'axis', 0),
      reduction: 'add',
    }),
  GatherNDGrad: gatherNDGrad,
  SliceGrad: sliceGrad,
  ShrunkenGather: ({ op, x: [data, indices], attributes }) =>
    op.Gather(data, indices, { axis: int(attributes, 'axis', 0) }),
  FlattenAndUnpad: unpad,
  // The way back: rows at their places among zeros.
  PadAndUnflatten: (context) => {
    const {
      op,
      x: [rows, places],
      y: [padded],
    } = context;
    const [first = 1, second = 1, ...rest] = padded.shape;
    const total = { type: rows.type, shape: [first * second, ...rest] };
    return op.reshape(addRows(context, places, rows, total), padded.shape);
  },
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
