import { elementCount, int, ints, normalizeAxis, type TensorType } from '../value.js';
import {
  broadcastShapes,
  constant,
  input,
  like,
  problem,
  type ShapeContext,
  type ShapeRule,
} from './rule.js';

const int64 = 'int64' as const;

/** The axes of a reduction: input 1 (opset 18), or the attribute of older forms. */
function reducedAxes(context: ShapeContext, rank: number): readonly number[] {
  const axes =
    context.x[1] === undefined ? (ints(context.attributes, 'axes') ?? []) : constant(context, 1);
  if (axes.length === 0)
    return int(context.attributes, 'noop_with_empty_axes', 0) === 1
      ? []
      : Array.from({ length: rank }, (_, axis) => axis);
  return axes.map((axis) => normalizeAxis(axis, rank));
}

export function reducedShape(shape: readonly number[], axes: readonly number[], keepdims: boolean) {
  return keepdims
    ? shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim))
    : shape.filter((_, axis) => !axes.includes(axis));
}

function reduce(context: ShapeContext): TensorType {
  const { type, shape } = input(context, 0);
  const keep = int(context.attributes, 'keepdims', 1) === 1;
  return { type, shape: reducedShape(shape, reducedAxes(context, shape.length), keep) };
}

function argument(context: ShapeContext): TensorType {
  const { shape } = input(context, 0);
  const axis = normalizeAxis(int(context.attributes, 'axis', 0), shape.length);
  const keep = int(context.attributes, 'keepdims', 1) === 1;
  return { type: int64, shape: reducedShape(shape, [axis], keep) };
}

function reshape(context: ShapeContext): TensorType {
  const { type, shape } = input(context, 0);
  const wanted = constant(context, 1);
  const allowZero = int(context.attributes, 'allowzero', 0) === 1;
  const dims = wanted.map((dim, axis) => (dim === 0 && !allowZero ? (shape[axis] ?? 0) : dim));
  const open = dims.indexOf(-1);
  if (open >= 0) {
    const rest = dims.reduce((product, dim, axis) => (axis === open ? product : product * dim), 1);
    dims[open] = rest === 0 ? 0 : elementCount(shape) / rest;
  }
  if (elementCount(dims) !== elementCount(shape) || !dims.every(Number.isInteger))
    problem(`[${shape}] cannot be reshaped to [${wanted}]`);
  return { type, shape: dims };
}

function squeeze(context: ShapeContext): TensorType {
  const { type, shape } = input(context, 0);
  const axes = (
    context.x[1] === undefined ? ints(context.attributes, 'axes') : constant(context, 1)
  )?.map((axis) => normalizeAxis(axis, shape.length));
  return { type, shape: shape.filter((dim, axis) => (axes ? !axes.includes(axis) : dim !== 1)) };
}

function unsqueeze(context: ShapeContext): TensorType {
  const { type, shape } = input(context, 0);
  const given =
    context.x[1] === undefined ? (ints(context.attributes, 'axes') ?? []) : constant(context, 1);
  const rank = shape.length + given.length;
  const axes = new Set(given.map((axis) => normalizeAxis(axis, rank)));
  const rest = [...shape];
  return {
    type,
    shape: Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : (rest.shift() ?? 1))),
  };
}

function concat(context: ShapeContext): TensorType {
  const inputs = context.x.map((_, i) => input(context, i));
  const first = input(context, 0);
  const axis = normalizeAxis(int(context.attributes, 'axis', 0), first.shape.length);
  const length = inputs.reduce((sum, x) => sum + (x.shape[axis] ?? 0), 0);
  return { type: first.type, shape: first.shape.map((dim, a) => (a === axis ? length : dim)) };
}

function split(context: ShapeContext): readonly TensorType[] {
  const { type, shape } = input(context, 0);
  const axis = normalizeAxis(int(context.attributes, 'axis', 0), shape.length);
  const length = shape[axis] ?? 0;
  const count = int(context.attributes, 'num_outputs', context.outputCount || 1);
  const even = Math.ceil(length / count);
  const sizes =
    context.x[1] === undefined
      ? Array.from({ length: count }, (_, i) => Math.max(0, Math.min(even, length - i * even)))
      : constant(context, 1);
  return sizes.map((size) => ({ type, shape: shape.map((dim, a) => (a === axis ? size : dim)) }));
}

/** The half-open range that a Slice really takes along one axis, after clamping. */
function sliceLength(dim: number, start: number, end: number, step: number): number {
  const clamp = (at: number, low: number, high: number) =>
    Math.min(Math.max(at < 0 ? at + dim : at, low), high);
  const from = step > 0 ? clamp(start, 0, dim) : clamp(start, 0, dim - 1);
  const to = step > 0 ? clamp(end, 0, dim) : clamp(end, -1, dim - 1);
  return Math.max(0, Math.ceil((to - from) / step));
}

function slice(context: ShapeContext): TensorType {
  const { type, shape } = input(context, 0);
  const [starts, ends] = [constant(context, 1), constant(context, 2)];
  const axes = context.x[3] === undefined ? starts.map((_, i) => i) : constant(context, 3);
  const steps = context.x[4] === undefined ? starts.map(() => 1) : constant(context, 4);
  const dims = [...shape];
  axes.forEach((given, i) => {
    const axis = normalizeAxis(given, shape.length);
    dims[axis] = sliceLength(shape[axis] ?? 0, starts[i] ?? 0, ends[i] ?? 0, steps[i] ?? 1);
  });
  return { type, shape: dims };
}

function pad(context: ShapeContext): TensorType {
  const { type, shape } = input(context, 0);
  const pads = constant(context, 1);
  const axes =
    context.x[3] === undefined
      ? shape.map((_, axis) => axis)
      : constant(context, 3).map((axis) => normalizeAxis(axis, shape.length));
  const dims = [...shape];
  axes.forEach((axis, i) => {
    dims[axis] = (shape[axis] ?? 0) + (pads[i] ?? 0) + (pads[i + axes.length] ?? 0);
  });
  return { type, shape: dims };
}

function gather(context: ShapeContext): TensorType {
  const { type, shape } = input(context, 0);
  const axis = normalizeAxis(int(context.attributes, 'axis', 0), shape.length);
  return {
    type,
    shape: [...shape.slice(0, axis), ...input(context, 1).shape, ...shape.slice(axis + 1)],
  };
}

function gatherND(context: ShapeContext): TensorType {
  const { type, shape } = input(context, 0);
  const indices = input(context, 1).shape;
  const batch = int(context.attributes, 'batch_dims', 0);
  const depth = indices.at(-1) ?? 0;
  return { type, shape: [...indices.slice(0, -1), ...shape.slice(batch + depth)] };
}

function topK(context: ShapeContext): readonly TensorType[] {
  const { type, shape } = input(context, 0);
  const axis = normalizeAxis(int(context.attributes, 'axis', -1), shape.length);
  const k = constant(context, 1)[0] ?? 0;
  const dims = shape.map((dim, a) => (a === axis ? k : dim));
  return [
    { type, shape: dims },
    { type: int64, shape: dims },
  ];
}

function resize(context: ShapeContext): TensorType {
  const { type, shape } = input(context, 0);
  const [scales, sizes] = [context.constant(2), context.constant(3)];
  const axes = ints(context.attributes, 'axes') ?? shape.map((_, axis) => axis);
  const dims = [...shape];
  axes.forEach((given, i) => {
    const axis = normalizeAxis(given, shape.length);
    const scaled = Math.floor((shape[axis] ?? 0) * (scales?.[i] ?? 1));
    dims[axis] =
      context.x[3] === undefined ? scaled : (sizes?.[i] ?? problem('sizes must be constant'));
  });
  return { type, shape: dims };
}

function transpose(context: ShapeContext): TensorType {
  const { type, shape } = input(context, 0);
  const perm = ints(context.attributes, 'perm') ?? shape.map((_, axis) => shape.length - 1 - axis);
  return { type, shape: perm.map((axis) => shape[axis] ?? 0) };
}

/** Channels that become blocks of pixels (`direction` 1), or the other way round (-1). */
function blocks(context: ShapeContext, direction: 1 | -1): TensorType {
  const { type, shape } = input(context, 0);
  const block = int(context.attributes, 'blocksize', 1) ** direction;
  const [batch = 0, channels = 0, ...spatial] = shape;
  return { type, shape: [batch, channels / block ** 2, ...spatial.map((dim) => dim * block)] };
}

export const tensorShapes = {
  ReduceL1: reduce,
  ReduceL2: reduce,
  ReduceLogSum: reduce,
  ReduceLogSumExp: reduce,
  ReduceMax: reduce,
  ReduceMean: reduce,
  ReduceMin: reduce,
  ReduceProd: reduce,
  ReduceSum: reduce,
  ReduceSumSquare: reduce,
  ArgMax: argument,
  ArgMin: argument,
  Reshape: reshape,
  Resize: resize,
  ReverseSequence: like(0),
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Gather: gather,
  GatherElements: (context: ShapeContext) => ({
    type: input(context, 0).type,
    shape: input(context, 1).shape,
  }),
  GatherND: gatherND,
  ScatterElements: like(0),
  ScatterND: like(0),
  TopK: topK,
  Transpose: transpose,
  Flatten: (context: ShapeContext) => {
    const { type, shape } = input(context, 0);
    const given = int(context.attributes, 'axis', 1);
    const axis = normalizeAxis(given, shape.length);
    return { type, shape: [elementCount(shape.slice(0, axis)), elementCount(shape.slice(axis))] };
  },
  Expand: (context: ShapeContext) => {
    const { type, shape } = input(context, 0);
    return { type, shape: broadcastShapes(shape, constant(context, 1)) };
  },
  Tile: (context: ShapeContext) => {
    const { type, shape } = input(context, 0);
    const repeats = constant(context, 1);
    return { type, shape: shape.map((dim, axis) => dim * (repeats[axis] ?? 1)) };
  },
  CenterCropPad: (context: ShapeContext) => {
    const { type, shape } = input(context, 0);
    const axes = ints(context.attributes, 'axes') ?? [...shape.keys()];
    const dims = [...shape];
    constant(context, 1).forEach((size, i) => {
      dims[normalizeAxis(axes[i] ?? i, shape.length)] = size;
    });
    return { type, shape: dims };
  },
  DFT: (context: ShapeContext) => {
    const { type, shape } = input(context, 0);
    const given = context.x[2] === undefined ? -2 : (constant(context, 2)[0] ?? -2);
    const axis = normalizeAxis(given, shape.length);
    const signal = shape[axis] ?? 0;
    const inverse = int(context.attributes, 'inverse', 0) === 1;
    const half = int(context.attributes, 'onesided', 0) === 1;
    const whole = half && inverse ? 2 * (signal - 1) : signal;
    const length = context.x[1] === undefined ? whole : (constant(context, 1)[0] ?? whole);
    const bins = half && !inverse ? Math.floor(length / 2) + 1 : length;
    return { type, shape: [...shape.with(axis, bins).slice(0, -1), half && inverse ? 1 : 2] };
  },
  DepthToSpace: (context: ShapeContext) => blocks(context, 1),
  SpaceToDepth: (context: ShapeContext) => blocks(context, -1),
  Shape: (context: ShapeContext) => {
    const rank = input(context, 0).shape.length;
    const start = normalizeAxis(int(context.attributes, 'start', 0), rank);
    const end = normalizeAxis(int(context.attributes, 'end', rank), rank);
    return { type: int64, shape: [Math.max(0, Math.min(end, rank) - Math.max(start, 0))] };
  },
  Size: () => ({ type: int64, shape: [] }),
  Range: (context: ShapeContext) => {
    const [start = 0, limit = 0, delta = 1] = [0, 1, 2].map((i) => constant(context, i)[0]);
    return {
      type: input(context, 0).type,
      shape: [Math.max(0, Math.ceil((limit - start) / delta))],
    };
  },
  OneHot: (context: ShapeContext) => {
    const { shape } = input(context, 0);
    const depth = constant(context, 1)[0] ?? 0;
    const axis = normalizeAxis(int(context.attributes, 'axis', -1), shape.length + 1);
    return {
      type: input(context, 2).type,
      shape: [...shape.slice(0, axis), depth, ...shape.slice(axis)],
    };
  },
  ConstantOfShape: (context: ShapeContext) => {
    const value = context.attributes.value;
    return {
      type: value?.type === 'tensor' ? value.value.type : ('float32' as const),
      shape: constant(context, 0),
    };
  },
} satisfies Record<string, ShapeRule>;
