import { reducedShape } from '../shapes/tensor.js';
import { elementCount, int, ints, normalizeAxis, text } from '../value.js';
import {
  type FoldContext,
  type Folded,
  type FoldRule,
  flatten,
  foldLimit,
  mapPositions,
} from './rule.js';

/** Takes each element of the output from where `from` says it lies in input 0. */
function picked(
  { shape }: FoldContext,
  data: Folded | undefined,
  from: (position: readonly number[]) => readonly number[],
): readonly number[] | undefined {
  return (
    data && mapPositions(shape, (position) => data.values[flatten(from(position), data.shape)] ?? 0)
  );
}

const axisOf = ({ node }: FoldContext, rank: number, fallback: number) =>
  normalizeAxis(int(node.attributes, 'axis', fallback), rank);

const allOf = ({ node, x }: FoldContext): readonly Folded[] | undefined => {
  const parts = node.inputs.map((_, i) => x(i));
  const known = parts.filter((part) => part !== undefined);
  return known.length === parts.length ? known : undefined;
};

/** The same numbers in the same order. */
const reshaped: FoldRule = ({ x }) => x(0)?.values;

const replaceAt = (position: readonly number[], axis: number, index: number) =>
  position.map((own, a) => (a === axis ? index : own));

const concat: FoldRule = (context) => {
  const parts = allOf(context);
  if (parts === undefined) return undefined;
  const axis = axisOf(context, context.shape.length, 0);
  return mapPositions(context.shape, (position) => {
    let index = position[axis] ?? 0;
    const part = parts.find(({ shape }) => {
      const length = shape[axis] ?? 0;
      if (index < length) return true;
      index -= length;
      return false;
    });
    return part?.values[flatten(replaceAt(position, axis, index), part.shape)] ?? 0;
  });
};

const split: FoldRule = (context) => {
  const axis = axisOf(context, context.shape.length, 0);
  let start = 0;
  for (let i = 0; i < context.at; i++) {
    const before = context.shapeOf(i);
    if (before === undefined) return undefined;
    start += before[axis] ?? 0;
  }
  return picked(context, context.x(0), (position) =>
    replaceAt(position, axis, (position[axis] ?? 0) + start),
  );
};

const slice: FoldRule = (context) => {
  const { node, x } = context;
  const [data, starts] = [x(0), x(1)];
  if (data === undefined || starts === undefined) return undefined;
  const given = (i: number) => (node.inputs[i] ? x(i)?.values : starts.values.map((_, k) => k));
  const axes = given(3);
  const steps = node.inputs[4] ? x(4)?.values : starts.values.map(() => 1);
  if (axes === undefined || steps === undefined) return undefined;
  const at = axes.map((axis) => normalizeAxis(axis, data.shape.length));
  return picked(context, data, (position) =>
    position.map((own, axis) => {
      const k = at.indexOf(axis);
      if (k < 0) return own;
      const [dim, step] = [data.shape[axis] ?? 0, steps[k] ?? 1];
      const start = starts.values[k] ?? 0;
      const first = Math.max(start < 0 ? start + dim : start, 0);
      return Math.min(first, step < 0 ? dim - 1 : dim) + own * step;
    }),
  );
};

const gather: FoldRule = (context) => {
  const [data, indices] = [context.x(0), context.x(1)];
  if (data === undefined || indices === undefined) return undefined;
  const axis = axisOf(context, data.shape.length, 0);
  const width = indices.shape.length;
  return picked(context, data, (position) => {
    const index = indices.values[flatten(position.slice(axis, axis + width), indices.shape)] ?? 0;
    return [
      ...position.slice(0, axis),
      normalizeAxis(index, data.shape[axis] ?? 0),
      ...position.slice(axis + width),
    ];
  });
};

/** Updates of whole slices: indices [..., depth] name where each goes. */
const scatterND: FoldRule = (context) => {
  const { node, shape, x } = context;
  const [data, indices, updates] = [x(0), x(1), x(2)];
  if (data === undefined || indices === undefined || updates === undefined) return undefined;
  if (text(node.attributes, 'reduction', 'none') !== 'none') return undefined;
  const result = [...data.values];
  const outer = indices.shape.length - 1;
  const depth = indices.shape.at(-1) ?? 0;
  const targets = mapPositions(updates.shape, (position) => {
    const row = flatten([...position.slice(0, outer), 0], indices.shape);
    const place = Array.from({ length: depth }, (_, k) =>
      normalizeAxis(indices.values[row + k] ?? 0, shape[k] ?? 0),
    );
    return flatten([...place, ...position.slice(outer)], shape);
  });
  targets.forEach((target, i) => {
    result[target] = updates.values[i] ?? 0;
  });
  return result;
};

function reduce(initial: number, combine: (a: number, b: number) => number): FoldRule {
  return ({ node, shape, x }) => {
    const data = x(0);
    const axes = node.inputs[1] ? x(1)?.values : (ints(node.attributes, 'axes') ?? []);
    if (data === undefined || axes === undefined) return undefined;
    const rank = data.shape.length;
    const none = int(node.attributes, 'noop_with_empty_axes', 0) === 1;
    if (axes.length === 0 && none) return data.values;
    const over =
      axes.length === 0
        ? data.shape.map((_, axis) => axis)
        : axes.map((axis) => normalizeAxis(axis, rank));
    const kept = reducedShape(data.shape, over, true);
    const result: number[] = Array(elementCount(shape)).fill(initial);
    mapPositions(data.shape, (position) => position).forEach((position, i) => {
      const target = flatten(
        position.map((own, axis) => (over.includes(axis) ? 0 : own)),
        kept,
      );
      result[target] = combine(result[target] ?? initial, data.values[i] ?? 0);
    });
    return result;
  };
}

/** The positions of what is not zero, axis by axis. */
const nonZero: FoldRule = ({ x }) => {
  const data = x(0);
  if (data === undefined) return undefined;
  const found = mapPositions(data.shape, (position) => position).filter(
    (_, i) => data.values[i] !== 0,
  );
  return data.shape.flatMap((_, axis) => found.map((position) => position[axis] ?? 0));
};

export const layoutFolds: Readonly<Record<string, FoldRule>> = {
  Flatten: reshaped,
  Reshape: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Concat: concat,
  NonZero: nonZero,
  Split: split,
  Slice: slice,
  Gather: gather,
  ScatterND: scatterND,
  Transpose: (context) => {
    const data = context.x(0);
    const rank = context.shape.length;
    const perm = ints(context.node.attributes, 'perm') ?? context.shape.map((_, a) => rank - 1 - a);
    return picked(context, data, (position) =>
      position.map((_, axis) => position[perm.indexOf(axis)] ?? 0),
    );
  },
  Tile: (context) => {
    const data = context.x(0);
    return picked(context, data, (position) =>
      position.map((own, axis) => own % (data?.shape[axis] ?? 1)),
    );
  },
  Expand: (context) => {
    const data = context.x(0);
    const missing = context.shape.length - (data?.shape.length ?? 0);
    return picked(
      context,
      data,
      (position) =>
        data?.shape.map((dim, a) => (dim === 1 ? 0 : (position[a + missing] ?? 0))) ?? [],
    );
  },
  Range: ({ x, shape }) => {
    const [start, step] = [x(0)?.values[0], x(2)?.values[0]];
    if (start === undefined || step === undefined || x(1) === undefined) return undefined;
    const length = elementCount(shape);
    return length > foldLimit ? undefined : Array.from({ length }, (_, i) => start + i * step);
  },
  ReduceMax: reduce(Number.NEGATIVE_INFINITY, Math.max),
  ReduceMin: reduce(Number.POSITIVE_INFINITY, Math.min),
  ReduceProd: reduce(1, (a, b) => a * b),
  ReduceSum: reduce(0, (a, b) => a + b),
};
