import { tensorOf } from '../../packages/core/src/graph/constants.js';
import type { Window } from '../../packages/core/src/graph/shapes/compute.js';
import type { TensorData } from '../../packages/core/src/onnx/ir.js';

/** Every index below `dims`, last axis fastest. */
function* indices(dims: readonly number[]): Generator<readonly number[]> {
  const size = dims.reduce((a, b) => a * b, 1);
  for (let flat = 0; flat < size; flat++) {
    let rest = flat;
    yield dims.map((_, axis) => {
      const stride = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
      const index = Math.floor(rest / stride);
      rest -= index * stride;
      return index;
    });
  }
}

const flatten = (index: readonly number[], dims: readonly number[]) =>
  index.reduce((flat, i, axis) => flat * (dims[axis] ?? 1) + i, 0);

/** dX, dW and dB of a convolution in any number of dimensions, by definition: every product of an input, a weight
 *  and an output gradient that belong together, in float64. */
export function convGradient(
  [dy, x, w]: readonly [TensorData, TensorData, TensorData],
  { strides, dilations, pads, kernel, output }: Window,
  group = 1,
): readonly [TensorData, TensorData, TensorData] {
  const [batch = 0, , ...spatial] = x.dims;
  const [channels = 0, perGroup = 0] = w.dims;
  const [gradient, input, weight] = [dy, x, w].map(({ data }) => data as Float32Array) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const dx = new Float64Array(input.length);
  const dw = new Float64Array(weight.length);
  const db = new Float64Array(channels);
  for (const [n = 0, m = 0, ...at] of indices([batch, channels, ...output])) {
    const upstream = gradient[flatten([n, m, ...at], dy.dims)] ?? 0;
    db[m] = (db[m] ?? 0) + upstream;
    const first = Math.floor(m / (channels / group)) * perGroup;
    for (const [c = 0, ...k] of indices([perGroup, ...kernel])) {
      const place = at.map(
        (o, i) => o * (strides[i] ?? 1) - (pads[i] ?? 0) + (k[i] ?? 0) * (dilations[i] ?? 1),
      );
      if (place.some((p, i) => p < 0 || p >= (spatial[i] ?? 0))) continue;
      const from = flatten([n, first + c, ...place], x.dims);
      const by = flatten([m, c, ...k], w.dims);
      dx[from] = (dx[from] ?? 0) + upstream * (weight[by] ?? 0);
      dw[by] = (dw[by] ?? 0) + upstream * (input[from] ?? 0);
    }
  }
  return [
    tensorOf('float32', Array.from(dx), x.dims),
    tensorOf('float32', Array.from(dw), w.dims),
    tensorOf('float32', Array.from(db), [channels]),
  ];
}
