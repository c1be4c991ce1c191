import type { Op } from '../../graph/builder.js';
import { tensorOf } from '../../graph/constants.js';
import { type Window, windowOf } from '../../graph/shapes/compute.js';
import { elementCount, int, ints, type Value } from '../../graph/value.js';
import { isHost, type LoweringContext, lowerings, type Producer } from '../rule.js';
import { padToWindows, sliceAt } from './convolution.js';
import { kernelOffsets } from './convolution-rows.js';
import { padWith, spread } from './spread.js';
import { guard, spare } from './webgpu-nan.js';

function poolingWindow(attributes: Producer['attributes'], shape: readonly number[]): Window {
  return windowOf(attributes, shape.slice(2), ints(attributes, 'kernel_shape') ?? []);
}

/** Windows that lie side by side, without padding or gaps. */
function isTiling({ kernel, strides, dilations, pads }: Window): boolean {
  const tight = kernel.every((k, i) => strides[i] === k && (dilations[i] === 1 || k === 1));
  return tight && pads.every((pad) => pad === 0);
}

/** Windows of which no two share an element. */
function liesApart({ kernel, strides, dilations }: Window): boolean {
  return kernel.every((k, i) => (strides[i] ?? 1) > (dilations[i] ?? 1) * (k - 1));
}

/** Puts dY at the places that MaxPool's Indices name: they alone decide, so the window may be said to be 1x1. */
function unpool({ op, x: [dy, indices], y: [dx] }: LoweringContext): Value {
  const kernel_shape = dy.shape.slice(2).map(() => 1);
  return op.MaxUnpool(dy, indices, op.ints(dx.shape), { kernel_shape });
}

/** Adds dY at the places that MaxPool's Indices name: flat over the whole tensor. */
function byIndices({ op, x: [dy, indices], y: [dx] }: LoweringContext): Value {
  const zeros = op.zeros({ type: dx.type, shape: [elementCount(dx.shape)] });
  const count = [elementCount(dy.shape)];
  const [at, updates] = [op.reshape(indices, count), op.reshape(dy, count)];
  return op.reshape(op.ScatterElements(zeros, at, updates, { reduction: 'add' }), dx.shape);
}

/** Gives dY to the first element of each window that equals its maximum; what is left goes to the last.
 *  One gradient per offset of the kernel. */
function byOffset(op: Op, dy: Value, pool: Producer, window: Window): readonly Value[] {
  const image = padToWindows(op, pool.x[0], window, Number.NEGATIVE_INFINITY);
  const offsets = kernelOffsets(window.kernel);
  let rest = dy;
  return offsets.map((offset, i) => {
    if (i === offsets.length - 1) return rest;
    const hit = op.cast(op.Equal(sliceAt(op, image, window, offset), pool.y[0]), dy.type);
    const part = op.Mul(rest, hit);
    rest = op.Sub(rest, part);
    return part;
  });
}

/** Puts the gradients of the offsets of tiling windows beside each other, innermost axis first. */
function interleave(op: Op, parts: readonly Value[], { kernel, output }: Window): Value {
  const [batch = 0, channels = 0] = parts[0]?.shape ?? [];
  const shape = [batch, channels, ...output.flatMap((dim) => [dim, 1])];
  let joined = parts.map((part) => op.reshape(part, shape));
  for (let i = kernel.length - 1; i >= 0; i--) {
    const k = kernel[i] ?? 1;
    const axis = 2 * i + 3;
    const count = joined.length / k;
    const groups = Array.from({ length: count }, (_, g) => joined.slice(g * k, g * k + k));
    joined = groups.map((group) =>
      group.length === 1 ? (group[0] as Value) : op.Concat(...group, { axis }),
    );
  }
  return op.reshape(joined[0] as Value, [
    batch,
    channels,
    ...output.map((dim, i) => dim * (kernel[i] ?? 1)),
  ]);
}

/** Zeros (or a crop) behind the last window, to the size of the pooling's input. */
function extendTo(op: Op, value: Value, shape: readonly number[]): Value {
  return padWith(
    op,
    value,
    shape.map((dim, axis) => [0, dim - (value.shape[axis] ?? 0)]),
  );
}

/** Sums the gradients of all offsets at the places that they came from. */
function overlay(op: Op, parts: readonly Value[], window: Window, shape: readonly number[]): Value {
  const placed = kernelOffsets(window.kernel).map((offset, n) =>
    spread(
      op,
      parts[n] as Value,
      offset.map((o, i) => {
        const begin = o * (window.dilations[i] ?? 1) - (window.pads[i] ?? 0);
        return { axis: i + 2, begin, step: window.strides[i] ?? 1, size: shape[i + 2] ?? 0 };
      }),
    ),
  );
  return placed.reduce((total, part) => op.Add(total, part));
}

/** How many elements each window averages. */
function windowSizes(window: Window, spatial: readonly number[], includePad: boolean): number[] {
  const { kernel, strides, dilations, pads, output } = window;
  const alongAxis = kernel.map((k, i) =>
    Array.from({ length: output[i] ?? 0 }, (_, o) => {
      const start = o * (strides[i] ?? 1) - (pads[i] ?? 0);
      const dim = spatial[i] ?? 0;
      const end = includePad ? dim + (pads[i + kernel.length] ?? 0) : dim;
      const places = Array.from({ length: k }, (_, n) => start + n * (dilations[i] ?? 1));
      return places.filter((place) => place < end && (includePad || place >= 0)).length;
    }),
  );
  return alongAxis.reduce<number[]>(
    (sizes, axis) => sizes.flatMap((size) => axis.map((count) => size * count)),
    [1],
  );
}

function averagePoolGrad({ op, provider, x: [dy], y: [dx], attributes }: LoweringContext): Value {
  const window = poolingWindow(attributes, dx.shape);
  const { kernel, strides, dilations, pads, output } = window;
  const rank = kernel.length;
  const includePad = int(attributes, 'count_include_pad', 0) === 1;
  const sizes = windowSizes(window, dx.shape.slice(2), includePad);
  const even = sizes.every((size) => size === sizes[0]);
  const share = op.Div(dy, even ? (sizes[0] ?? 1) : op.constant(tensorOf(dy.type, sizes, output)));
  // Resize repeats elements in half of the time of any other form.
  if (isTiling(window) && rank === 2) {
    const scales = op.constant(tensorOf('float32', [1, 1, ...kernel]));
    const nearest = { mode: 'nearest', nearest_mode: 'floor' };
    const asymmetric = { coordinate_transformation_mode: 'asymmetric' };
    return extendTo(op, op.Resize(share, null, scales, { ...nearest, ...asymmetric }), dx.shape);
  }
  const [batch = 0, channels = 0] = dx.shape;
  if (provider === 'webgpu' && rank > 2)
    return overlay(op, Array(elementCount(kernel)).fill(share), window, dx.shape);
  const missing = kernel.map((k, i) => {
    const reach = ((output[i] ?? 1) - 1) * (strides[i] ?? 1) + (dilations[i] ?? 1) * (k - 1) + 1;
    return (dx.shape[i + 2] ?? 0) + (pads[i] ?? 0) - reach;
  });
  // Every channel is a sample of its own: one kernel of ones serves all.
  const ones = op.filled({ type: dy.type, shape: [1, 1, ...kernel] }, 1);
  const gradient = op.ConvTranspose(op.reshape(share, [batch * channels, 1, ...output]), ones, {
    kernel_shape: kernel,
    strides,
    dilations,
    pads: [...pads.slice(0, rank), ...missing.map((dim) => Math.max(0, -dim))],
  });
  return extendTo(
    op,
    op.reshape(gradient, [batch, channels, ...gradient.shape.slice(2)]),
    dx.shape,
  );
}

/** The kernel of webgpu passes over what is not a number: marks of it are pooled alike. */
const keepingNaN = guard((context, y) => {
  const { op, x, attributes } = context;
  const [image] = x;
  const settings = Object.entries(attributes).map(([name, { value }]) => [name, value]);
  const lost = op.Where(op.Equal(image, image), op.scalar(0, image.type), 1);
  const [marks = lost] = op.MaxPool(lost, Object.fromEntries(settings));
  spare(context, marks);
  return op.Where(op.Greater(marks, 0), op.scalar(Number.NaN, y.type), y);
});

export const pooling = lowerings({
  // webgpu refuses indices that go by columns even where nobody asks for any.
  MaxPool: (context) => {
    const { op, provider, x, attributes, needed } = context;
    if (provider !== 'webgpu' || needed(1)) return undefined;
    if (int(attributes, 'storage_order', 0) === 0) return keepingNaN(context);
    const { kernel, strides, dilations, pads } = poolingWindow(attributes, x[0].shape);
    const ceil_mode = int(attributes, 'ceil_mode', 0);
    return op.MaxPool(x[0], { kernel_shape: kernel, strides, dilations, pads, ceil_mode });
  },
  // Windows that lie apart: unpooling on cpu takes a seventh of the time of comparing again, although the pooling
  // has to make its Indices. Elsewhere comparing wins for 2x2, the scatter beyond. webgpu has no Indices.
  MaxPoolGrad: (context) => {
    const { op, provider, x, y, producer } = context;
    const pool = producer(x[1]);
    if (pool?.opType !== 'MaxPool') return byIndices(context);
    const window = poolingWindow(pool.attributes, y[0].shape);
    const columnMajor = int(pool.attributes, 'storage_order', 0) === 1;
    if (isHost(provider) && !columnMajor && liesApart(window) && y[0].type === 'float32')
      return unpool(context);
    const tiling = isTiling(window);
    if (provider !== 'webgpu' && !columnMajor && !(tiling && elementCount(window.kernel) <= 4))
      return byIndices(context);
    const parts = byOffset(op, x[0], pool, window);
    if (tiling) return extendTo(op, interleave(op, parts, window), y[0].shape);
    return overlay(op, parts, window, y[0].shape);
  },
  // ORT's kernel ignores ceil_mode and dilations, and overwrites where 3-D windows overlap; this does not.
  AveragePoolGrad: averagePoolGrad,
});
