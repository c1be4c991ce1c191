import type { Op } from '../../graph/builder.js';
import { type Window, windowOf } from '../../graph/shapes/compute.js';
import { elementCount, int, type Value } from '../../graph/value.js';
import { isHost, type LoweringContext, lowerings } from '../rule.js';
import {
  type Convolution,
  inputGradientByRows,
  kernelOffsets,
  weightGradientByRows,
} from './convolution-rows.js';
import { padWith } from './spread.js';

/** The elements of a padded image (spatial axes from 2) that one offset of the kernel meets. */
export function sliceAt(op: Op, image: Value, window: Window, offset: readonly number[]): Value {
  const { strides, dilations, output } = window;
  const starts = offset.map((o, i) => o * (dilations[i] ?? 1));
  const ends = starts.map((start, i) => start + ((output[i] ?? 1) - 1) * (strides[i] ?? 1) + 1);
  const axes = offset.map((_, i) => i + 2);
  const whole = axes.every((axis, i) => starts[i] === 0 && ends[i] === image.shape[axis]);
  if (whole && strides.every((stride) => stride === 1)) return image;
  return op.Slice(image, op.ints(starts), op.ints(ends), op.ints(axes), op.ints(strides));
}

/** What an image needs (or, where negative, has too much) before and behind each axis, so that its windows reach exactly to
 *  its end. */
export function marginsOf(window: Window, spatial: readonly number[]): readonly number[][] {
  const { kernel, strides, dilations, pads, output } = window;
  return kernel.map((k, i) => {
    const before = pads[i] ?? 0;
    const reach = ((output[i] ?? 1) - 1) * (strides[i] ?? 1) + (dilations[i] ?? 1) * (k - 1) + 1;
    return [before, reach - before - (spatial[i] ?? 0)];
  });
}

/** Pads (or crops) an image so that its windows reach exactly to its end. */
export function padToWindows(op: Op, image: Value, window: Window, fill = 0): Value {
  const margins = marginsOf(window, image.shape.slice(2));
  return padWith(op, image, [[0, 0], [0, 0], ...margins], fill);
}

const swap = (rank: number) => [1, 0, ...Array.from({ length: rank }, (_, i) => i + 2)];

function gradientOfInput(c: Convolution): Value {
  const { op, dy, x, w, group, kernel, strides, dilations, pads, output } = c;
  const rank = kernel.length;
  if (isHost(c.provider) && isPointwise(c))
    return op.Conv(dy, op.transpose(w, swap(rank)), { kernel_shape: kernel });
  if (prefersRows(c)) return inputGradientByRows(c);
  const output_padding = kernel.map((k, i) => {
    const [stride = 1, dilation = 1] = [strides[i], dilations[i]];
    const reach = ((output[i] ?? 1) - 1) * stride + dilation * (k - 1) + 1;
    return (x.shape[i + 2] ?? 0) + (pads[i] ?? 0) + (pads[i + rank] ?? 0) - reach;
  });
  // Up to five times as fast as Conv with flipped weights.
  const attributes = { kernel_shape: kernel, strides, dilations, pads, group, output_padding };
  return op.ConvTranspose(dy, w, attributes);
}

/** A product of matrices for every sample. */
function isPointwise({ group, kernel, strides, pads }: Convolution): boolean {
  const single = [...kernel, ...strides].every((size) => size === 1);
  return group === 1 && single && pads.every((pad) => pad === 0);
}

/** ConvTranspose goes from sample to sample. Where images are small and channels many, one product of all samples
 *  takes 0.6 to 0.9 of its time; elsewhere up to 8 times as long. */
function prefersRows(c: Convolution): boolean {
  const [filters = 0, channels = 0] = c.w.shape;
  const small = elementCount(c.x.shape.slice(2)) <= 256;
  const many = filters >= 32 && channels >= 32;
  return isHost(c.provider) && c.group === 1 && c.strides.every((s) => s === 1) && small && many;
}

function gradientOfWeight(c: Convolution): Value {
  const { w, dy, group, kernel, strides } = c;
  const [filters = 1, channels = 1] = w.shape;
  if (group > 1 && channels === 1 && filters === group) return byProducts(c);
  const places = elementCount(c.output);
  // Measured on cpu: 0.6 to 0.95 of the time of one product of columns, where these products are smaller than what they
  // are made of.
  if (
    isHost(c.provider) &&
    isPointwise(c) &&
    places * (filters + channels) >= 4 * filters * channels
  )
    return bySamples(c);
  const offsets = elementCount(kernel);
  const columns = (offsets * channels * elementCount(dy.shape)) / filters;
  if (group > 1 || columns > 2 ** 26) return byExchange(c);
  const dense = strides.every((stride) => stride === 1);
  // Measured on cpu: rows take 0.4 to 0.75 of the time of the other forms from 16 channels on, and several times
  // as long below: every row is a copy of its own.
  const copies = offsets > 1 || !dense;
  if (copies && channels >= 16 && isHost(c.provider)) return weightGradientByRows(c);
  // One product of all shifted images takes 0.6 to 1 of the time of a convolution with exchanged axes, but 1.1 to
  // 1.4 with strides or large kernels, where the copies grow with the kernel.
  return offsets === 1 || (offsets <= 9 && dense) ? byColumns(c) : byExchange(c);
}

/** One filter per channel: a product and a sum for each offset. Half the time of the grouped forms. */
function byProducts(c: Convolution): Value {
  const { op, dy, x, w, kernel } = c;
  const image = padToWindows(op, x, c);
  const axes = [0, ...kernel.map((_, i) => i + 2)];
  const sums = kernelOffsets(kernel).map((offset) => {
    const sum = op.sum(op.Mul(sliceAt(op, image, c, offset), dy), axes);
    return op.reshape(sum, [w.shape[0] ?? 0, 1]);
  });
  return op.reshape(
    sums.length === 1 ? (sums[0] as Value) : op.Concat(...sums, { axis: 1 }),
    w.shape,
  );
}

/** dW = Σ over samples of dY · Xᵀ, for kernels of one place. */
function bySamples({ op, dy, x, w }: Convolution): Value {
  const rows = (image: Value) => {
    const [batch = 0, channels = 0, ...spatial] = image.shape;
    return op.reshape(image, [batch, channels, elementCount(spatial)]);
  };
  return op.reshape(op.sum(op.FusedMatMul(rows(dy), rows(x), { transB: 1 }), [0]), w.shape);
}

/** im2col: dW[m, (k, c)] = Σ over samples and places of dY[m, p] · X_k[c, p]. */
function byColumns(c: Convolution): Value {
  const { op, dy, x, w, kernel } = c;
  const [filters = 0, channels = 0] = w.shape;
  const rank = kernel.length;
  const places = elementCount(dy.shape) / filters;
  const image = op.transpose(padToWindows(op, x, c), swap(rank));
  const slices = kernelOffsets(kernel).map((offset) => sliceAt(op, image, c, offset));
  const stacked = slices.length === 1 ? (slices[0] as Value) : op.Concat(...slices, { axis: 0 });
  const columns = op.reshape(stacked, [slices.length * channels, places]);
  const rows = op.reshape(op.transpose(dy, swap(rank)), [filters, places]);
  const product = op.reshape(op.Gemm(rows, columns, { transB: 1 }), [
    filters,
    slices.length,
    channels,
  ]);
  return op.reshape(slices.length === 1 ? product : op.transpose(product, [0, 2, 1]), w.shape);
}

/** The convolution of X with dY as its kernel: channels are samples, samples are channels, and strides
 *  and dilations change places. */
function byExchange(c: Convolution): Value {
  const { op, dy, x, w, group, kernel, strides, dilations, pads, output } = c;
  const [batch = 0, channels = 0, ...spatial] = x.shape;
  const rank = kernel.length;
  const grouped = op.reshape(x, [batch, group, channels / group, ...spatial]);
  const turned = op.transpose(grouped, [2, 1, 0, ...kernel.map((_, i) => i + 3)]);
  const image = op.reshape(turned, [channels / group, group * batch, ...spatial]);
  const filter = op.transpose(dy, swap(rank));
  const exchanged = { kernel_shape: output, strides: dilations, dilations: strides, pads, group };
  const gradient = op.transpose(op.Conv(image, filter, exchanged), swap(rank));
  const longer = kernel.some((k, i) => k !== gradient.shape[i + 2]);
  if (!longer) return gradient;
  // Where the stride does not divide, the rest of the image gives offsets that the kernel has not.
  const axes = op.ints(kernel.map((_, i) => i + 2));
  const cropped = op.Slice(gradient, op.ints(kernel.map(() => 0)), op.ints(kernel), axes);
  return op.reshape(cropped, w.shape);
}

function convolutionOf({ op, provider, x: [dy, x, w], attributes }: LoweringContext): Convolution {
  const window = windowOf(attributes, x.shape.slice(2), w.shape.slice(2));
  return { ...window, op, provider, dy, x, w, group: int(attributes, 'group', 1) };
}

export const convolution = lowerings({
  // Explicit pads are computed from auto_pad, which ORT's own kernel takes for no padding.
  ConvGrad: (context) => {
    const c = convolutionOf(context);
    const axes = [0, ...c.kernel.map((_, i) => i + 2)];
    return [
      context.needed(0) ? gradientOfInput(c) : undefined,
      context.needed(1) ? gradientOfWeight(c) : undefined,
      context.needed(2) ? context.op.sum(c.dy, axes) : undefined,
    ];
  },
});
