import type { Op } from '../../graph/builder.js';
import { tensorOf } from '../../graph/constants.js';
import type { Window } from '../../graph/shapes/compute.js';
import { elementCount, type Value } from '../../graph/value.js';
import type { Provider } from '../rule.js';

/** A convolution and what its gradient is made of. */
export interface Convolution extends Window {
  readonly op: Op;
  readonly provider: Provider;
  readonly dy: Value;
  readonly x: Value;
  readonly w: Value;
  readonly group: number;
}

/** Every offset in a kernel, in row-major order. */
export function kernelOffsets(kernel: readonly number[]): readonly (readonly number[])[] {
  return kernel.reduce<readonly (readonly number[])[]>(
    (offsets, size) =>
      offsets.flatMap((offset) => Array.from({ length: size }, (_, i) => [...offset, i])),
    [[]],
  );
}

/** [batch, channels, ...places] as rows of channels: [batch, places, channels]. */
function rowsOf(op: Op, image: Value): Value {
  const [batch = 0, channels = 0, ...spatial] = image.shape;
  const flat = op.reshape(image, [batch, channels, elementCount(spatial)]);
  return op.transpose(flat, [0, 2, 1]);
}

/** im2col with the channels innermost: for every sample and place the rows that all offsets meet, side by side. One
 *  Gather copies whole rows; what lies outside is a row of zeros behind the image. */
function unfold(op: Op, image: Value, met: readonly number[], offsets: number): Value {
  const [batch = 0, channels = 0] = image.shape;
  const zeros = op.zeros({ type: image.type, shape: [batch, 1, channels] });
  const rows = op.Concat(rowsOf(op, image), zeros, { axis: 1 });
  const gathered = op.Gather(rows, op.constant(tensorOf('int32', met)), { axis: 1 });
  return op.reshape(gathered, [(batch * met.length) / offsets, offsets * channels]);
}

/** The number of a place in row-major order; the number of all places where it lies outside. */
function placeIn(spatial: readonly number[], place: readonly number[]): number {
  const inside = spatial.every((dim, i) => (place[i] ?? 0) >= 0 && (place[i] ?? 0) < dim);
  if (!inside) return elementCount(spatial);
  return spatial.reduce((index, dim, i) => index * dim + (place[i] ?? 0), 0);
}

/** dW[m, (k, c)] = Σ over samples and places of dY[p, m] · X[p + k, c]. */
export function weightGradientByRows(c: Convolution): Value {
  const { op, dy, x, w, kernel, strides, dilations, pads } = c;
  const [filters = 0, channels = 0] = w.shape;
  const spatial = x.shape.slice(2);
  const offsets = kernelOffsets(kernel);
  const met = kernelOffsets(c.output).flatMap((place) =>
    offsets.map((offset) =>
      placeIn(
        spatial,
        place.map(
          (p, i) => p * (strides[i] ?? 1) + (offset[i] ?? 0) * (dilations[i] ?? 1) - (pads[i] ?? 0),
        ),
      ),
    ),
  );
  const columns = unfold(op, x, met, offsets.length);
  const rows = op.reshape(rowsOf(op, dy), [columns.shape[0] ?? 0, filters]);
  const product = op.Gemm(rows, columns, { transA: 1 });
  const perOffset = op.reshape(product, [filters, offsets.length, channels]);
  // Not a Transpose: ONNX Runtime would push it through the optimizer, at ten times the price.
  return op.reshape(op.Einsum(perOffset, { equation: 'mkc->mck' }), w.shape);
}

/** dX[p, c] = Σ over offsets and filters of dY[p - k, m] · W[(k, m), c], for strides of 1. */
export function inputGradientByRows(c: Convolution): Value {
  const { op, dy, x, w, kernel, dilations, pads, output } = c;
  const [filters = 0, channels = 0] = w.shape;
  const [batch = 0, , ...spatial] = x.shape;
  const offsets = kernelOffsets(kernel);
  const met = kernelOffsets(spatial).flatMap((place) =>
    offsets.map((offset) =>
      placeIn(
        output,
        place.map((p, i) => p + (pads[i] ?? 0) - (offset[i] ?? 0) * (dilations[i] ?? 1)),
      ),
    ),
  );
  const columns = unfold(op, dy, met, offsets.length);
  const weights = op.transpose(op.reshape(w, [filters, channels, offsets.length]), [2, 0, 1]);
  const product = op.Gemm(columns, op.reshape(weights, [offsets.length * filters, channels]));
  const rows = op.reshape(product, [batch, elementCount(spatial), channels]);
  return op.reshape(op.transpose(rows, [0, 2, 1]), x.shape);
}
