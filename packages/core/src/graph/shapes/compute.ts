import { elementCount, int, ints, sameShape, type TensorType, text } from '../value.js';
import {
  broadcastShapes,
  constant,
  input,
  like,
  problem,
  type ShapeContext,
  type ShapeRule,
} from './rule.js';

function swapLast(shape: readonly number[], swap: boolean): readonly number[] {
  return swap ? [...shape.slice(0, -2), ...shape.slice(-2).reverse()] : shape;
}

function product(type: TensorType['type'], a: readonly number[], b: readonly number[]): TensorType {
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  if (left.at(-1) !== right.at(-2)) problem(`inner dimensions of [${a}] and [${b}] differ`);
  const batch = broadcastShapes(left.slice(0, -2), right.slice(0, -2));
  const rows = a.length === 1 ? [] : [left.at(-2) ?? 0];
  const columns = b.length === 1 ? [] : [right.at(-1) ?? 0];
  return { type, shape: [...batch, ...rows, ...columns] };
}

function gemm(context: ShapeContext): TensorType {
  const a = swapLast(input(context, 0).shape, int(context.attributes, 'transA', 0) === 1);
  const b = swapLast(input(context, 1).shape, int(context.attributes, 'transB', 0) === 1);
  const result = product(input(context, 0).type, a, b);
  const c = context.x[2]?.shape;
  if (c !== undefined && !sameShape(broadcastShapes(result.shape, c), result.shape))
    problem(`C of shape [${c}] does not broadcast to [${result.shape}]`);
  return result;
}

/** The spatial geometry of a convolution or a pooling, with every default filled in. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Begin of each spatial axis, then end of each. */
  readonly pads: readonly number[];
  readonly output: readonly number[];
}

/** ONNX's rules for kernel_shape, strides, dilations, pads, auto_pad and ceil_mode.
 *  `spatial` is the input's shape without batch and channels. */
export function windowOf(
  attributes: ShapeContext['attributes'],
  spatial: readonly number[],
  kernel: readonly number[],
): Window {
  const ones = spatial.map(() => 1);
  const strides = ints(attributes, 'strides') ?? ones;
  const dilations = ints(attributes, 'dilations') ?? ones;
  const extent = kernel.map((k, i) => (dilations[i] ?? 1) * (k - 1) + 1);
  const mode = text(attributes, 'auto_pad', 'NOTSET');
  const rank = spatial.length;
  if (mode === 'SAME_UPPER' || mode === 'SAME_LOWER') {
    const output = spatial.map((dim, i) => Math.ceil(dim / (strides[i] ?? 1)));
    const total = spatial.map((dim, i) =>
      Math.max(0, ((output[i] ?? 0) - 1) * (strides[i] ?? 1) + (extent[i] ?? 1) - dim),
    );
    const small = total.map((t) => Math.floor(t / 2));
    const large = total.map((t) => Math.ceil(t / 2));
    const pads = mode === 'SAME_UPPER' ? [...small, ...large] : [...large, ...small];
    return { kernel, strides, dilations, pads, output };
  }
  const pads =
    mode === 'VALID'
      ? [...ones, ...ones].fill(0)
      : (ints(attributes, 'pads') ?? [...ones, ...ones].fill(0));
  const ceil = int(attributes, 'ceil_mode', 0) === 1;
  const output = spatial.map((dim, i) => {
    const stride = strides[i] ?? 1;
    const begin = pads[i] ?? 0;
    const room = dim + begin + (pads[i + rank] ?? 0) - (extent[i] ?? 1);
    if (!ceil) return Math.floor(room / stride) + 1;
    const windows = Math.ceil(room / stride) + 1;
    // A last window that starts in the padding behind the input does not count.
    return (windows - 1) * stride >= dim + begin ? windows - 1 : windows;
  });
  return { kernel, strides, dilations, pads, output };
}

/** Pads that reach as far as the last window: with ceil_mode that may be beyond those of the op. */
export function reachedPads(
  { kernel, strides, dilations, pads, output }: Window,
  spatial: readonly number[],
): readonly number[] {
  const rank = spatial.length;
  return pads.map((pad, i) => {
    if (i < rank) return pad;
    const axis = i - rank;
    const extent = (dilations[axis] ?? 1) * ((kernel[axis] ?? 1) - 1) + 1;
    const reach = ((output[axis] ?? 1) - 1) * (strides[axis] ?? 1) + extent;
    return Math.max(pad, reach - (spatial[axis] ?? 0) - (pads[axis] ?? 0));
  });
}

/** How a transposed convolution crops its output: by `pads`, or shared out by `auto_pad` and `output_shape`.
 *  `spatial` and `output` are its shapes before and after, without batch and channels. */
export function transposedWindowOf(
  attributes: ShapeContext['attributes'],
  spatial: readonly number[],
  kernel: readonly number[],
  output: readonly number[],
): Omit<Window, 'output'> {
  const strides = ints(attributes, 'strides') ?? spatial.map(() => 1);
  const dilations = ints(attributes, 'dilations') ?? spatial.map(() => 1);
  const extra = ints(attributes, 'output_padding') ?? [];
  const mode = text(attributes, 'auto_pad', 'NOTSET');
  const given = ints(attributes, 'pads');
  const shared = mode.startsWith('SAME') || attributes.output_shape !== undefined;
  const total = spatial.map((dim, i) => {
    const extent = (dilations[i] ?? 1) * ((kernel[i] ?? 1) - 1) + 1;
    const full = (strides[i] ?? 1) * (dim - 1) + (extra[i] ?? 0) + extent;
    return Math.max(0, full - (output[i] ?? 0));
  });
  const half = total.map((t) => (mode === 'SAME_UPPER' ? Math.floor(t / 2) : Math.ceil(t / 2)));
  const begin = shared ? half : spatial.map((_, i) => given?.[i] ?? 0);
  const pads = [...begin, ...total.map((t, i) => t - (begin[i] ?? 0))];
  return { kernel, strides, dilations, pads };
}

function conv(context: ShapeContext): TensorType {
  const [x, w] = [input(context, 0), input(context, 1)];
  const kernel = ints(context.attributes, 'kernel_shape') ?? w.shape.slice(2);
  const { output } = windowOf(context.attributes, x.shape.slice(2), kernel);
  return { type: x.type, shape: [x.shape[0] ?? 0, w.shape[0] ?? 0, ...output] };
}

function convTranspose(context: ShapeContext): TensorType {
  const [x, w] = [input(context, 0), input(context, 1)];
  const { attributes } = context;
  const spatial = x.shape.slice(2);
  const ones = spatial.map(() => 1);
  const kernel = ints(attributes, 'kernel_shape') ?? w.shape.slice(2);
  const strides = ints(attributes, 'strides') ?? ones;
  const dilations = ints(attributes, 'dilations') ?? ones;
  const padding = ints(attributes, 'pads') ?? [];
  const extra = ints(attributes, 'output_padding') ?? [];
  const given = ints(attributes, 'output_shape');
  const same = text(attributes, 'auto_pad', 'NOTSET').startsWith('SAME');
  const output = spatial.map((dim, i) => {
    if (given !== undefined) return given.at(i - spatial.length) ?? 0;
    if (same) return dim * (strides[i] ?? 1);
    const full =
      (strides[i] ?? 1) * (dim - 1) +
      (extra[i] ?? 0) +
      (dilations[i] ?? 1) * ((kernel[i] ?? 1) - 1) +
      1;
    return full - (padding[i] ?? 0) - (padding[i + spatial.length] ?? 0);
  });
  const channels = (w.shape[1] ?? 0) * int(attributes, 'group', 1);
  return { type: x.type, shape: [x.shape[0] ?? 0, channels, ...output] };
}

function pool(context: ShapeContext): TensorType {
  const { type, shape } = input(context, 0);
  const { output } = windowOf(
    context.attributes,
    shape.slice(2),
    ints(context.attributes, 'kernel_shape') ?? [],
  );
  return { type, shape: [...shape.slice(0, 2), ...output] };
}

function globalPool(context: ShapeContext): TensorType {
  const { type, shape } = input(context, 0);
  return { type, shape: shape.map((dim, axis) => (axis < 2 ? dim : 1)) };
}

/** Mean and inverse standard deviation of a layer norm: the normalised axes become 1. */
function statistics({ type, shape }: TensorType, axis: number): TensorType {
  const from = axis < 0 ? axis + shape.length : axis;
  return { type, shape: shape.map((dim, a) => (a < from ? dim : 1)) };
}

export const computeShapes = {
  MatMul: (context: ShapeContext) =>
    product(input(context, 0).type, input(context, 0).shape, input(context, 1).shape),
  Gemm: gemm,
  FusedMatMul: gemm,
  Conv: conv,
  FusedConv: conv,
  ConvTranspose: convTranspose,
  AveragePool: pool,
  LpPool: pool,
  MaxPool: (context: ShapeContext): readonly TensorType[] => {
    const y = pool(context);
    return [y, { type: 'int64', shape: y.shape }];
  },
  MaxUnpool: (context: ShapeContext): TensorType => {
    const { type, shape } = input(context, 0);
    if (context.x[2] !== undefined) return { type, shape: constant(context, 2) };
    const [strides, pads] = [ints(context.attributes, 'strides'), ints(context.attributes, 'pads')];
    const kernel = ints(context.attributes, 'kernel_shape') ?? [];
    const spatial = kernel.map((size, i) => {
      const reach = ((shape[i + 2] ?? 1) - 1) * (strides?.[i] ?? 1) + size;
      return reach - (pads?.[i] ?? 0) - (pads?.[i + kernel.length] ?? 0);
    });
    return { type, shape: [...shape.slice(0, 2), ...spatial] };
  },
  Col2Im: (context: ShapeContext): TensorType => {
    const { type, shape } = input(context, 0);
    const channels = (shape[1] ?? 0) / elementCount(constant(context, 2));
    return { type, shape: [shape[0] ?? 0, channels, ...constant(context, 1)] };
  },
  GridSample: (context: ShapeContext): TensorType => {
    const { type, shape } = input(context, 0);
    return { type, shape: [...shape.slice(0, 2), ...input(context, 1).shape.slice(1, -1)] };
  },
  AffineGrid: (context: ShapeContext): TensorType => {
    const [batch = 0, , ...spatial] = constant(context, 1);
    return { type: input(context, 0).type, shape: [batch, ...spatial, spatial.length] };
  },
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  GlobalLpPool: globalPool,
  /** Running statistics are there in training only. */
  BatchNormalization: (context: ShapeContext): readonly TensorType[] =>
    (int(context.attributes, 'training_mode', 0) === 0 ? [0] : [0, 3, 4]).map((i) =>
      like(i)(context),
    ),
  InstanceNormalization: like(0),
  GroupNormalization: like(0),
  LayerNormalization: (context: ShapeContext): readonly TensorType[] => {
    const x = like(0)(context);
    const kept = statistics(x, int(context.attributes, 'axis', -1));
    return [x, kept, kept];
  },
  SimplifiedLayerNormalization: (context: ShapeContext): readonly TensorType[] => {
    const x = like(0)(context);
    return [x, statistics(x, int(context.attributes, 'axis', -1))];
  },
  Dropout: (context: ShapeContext): readonly TensorType[] => {
    const x = like(0)(context);
    return [x, { type: 'bool', shape: x.shape }];
  },
  SoftmaxCrossEntropyLoss: (context: ShapeContext): readonly TensorType[] => {
    const scores = like(0)(context);
    const none = text(context.attributes, 'reduction', 'mean') === 'none';
    return [{ type: scores.type, shape: none ? input(context, 1).shape : [] }, scores];
  },
  NegativeLogLikelihoodLoss: (context: ShapeContext): TensorType => {
    const none = text(context.attributes, 'reduction', 'mean') === 'none';
    return { type: input(context, 0).type, shape: none ? input(context, 1).shape : [] };
  },
} satisfies Record<string, ShapeRule>;
