import { tensorOf } from '../../../packages/core/src/graph/constants.js';
import { type Attributes, elementCount } from '../../../packages/core/src/graph/value.js';
import type { TensorData } from '../../../packages/core/src/onnx/ir.js';
import { generator, type LoweringCase, like } from '../../support/compare.js';
import { runOracleNode } from '../../support/ort-training.js';

const random = generator(19);

interface Resizing {
  readonly from: readonly number[];
  readonly to: readonly number[];
  /** By default what the sizes say. */
  readonly scales?: readonly number[];
  readonly attributes: Attributes;
}

const linear = { mode: 'linear' };
const corners = { ...linear, coordinate_transformation_mode: 'align_corners' };

const resizings: readonly Resizing[] = [
  { from: [4, 4], to: [8, 8], attributes: linear },
  { from: [4, 4], to: [8, 8], scales: [2, 2], attributes: linear },
  { from: [3, 5], to: [7, 6], attributes: linear },
  { from: [6, 8], to: [3, 4], scales: [0.5, 0.5], attributes: linear },
  { from: [5, 5], to: [8, 11], scales: [1.7, 2.3], attributes: linear },
  { from: [4, 5], to: [4, 10], attributes: linear },
  { from: [4, 4], to: [7, 9], attributes: corners },
  { from: [6, 5], to: [3, 1], attributes: corners },
  // What ORT never had: the same matrices serve.
  { from: [3, 4], to: [6, 8], attributes: { mode: 'nearest' } },
  { from: [4, 4], to: [7, 9], attributes: { mode: 'cubic' } },
  { from: [5], to: [9], attributes: linear },
  { from: [3, 2, 3], to: [6, 4, 3], attributes: linear },
];

/** Σ dY · Resize(e) for every unit image e, by the stock kernel. */
async function adjoint(dy: TensorData, { from, to, scales, attributes }: Resizing, x: TensorData) {
  const [inner, outer] = [elementCount(from), elementCount(to)];
  const units = Array.from({ length: inner * inner }, (_, i) => (i % (inner + 1) === 0 ? 1 : 0));
  const sizes = tensorOf('int64', [inner, 1, ...to]);
  const [images] = await runOracleNode({
    opType: 'Resize',
    inputs: [
      tensorOf('float32', units, [inner, 1, ...from]),
      undefined,
      scales && tensorOf('float32', [1, 1, ...scales]),
      scales ? undefined : sizes,
    ],
    constants: [2, 3],
    attributes,
    outputs: [{ type: 'float32', shape: [inner, 1, ...to] }],
  });
  const resized = images?.data as Float32Array;
  const dx = Array.from({ length: elementCount(x.dims) }, (_, i) => {
    const [image, unit] = [Math.floor(i / inner), i % inner];
    let sum = 0;
    for (let j = 0; j < outer; j++)
      sum += Number(dy.data[image * outer + j]) * (resized[unit * outer + j] ?? 0);
    return sum;
  });
  return [tensorOf('float32', dx, x.dims)];
}

export const resize: readonly LoweringCase[] = resizings.map((resizing): LoweringCase => {
  const { from, to, scales, attributes } = resizing;
  const [x, dy] = [random(2, 3, ...from), random(2, 3, ...to)];
  return {
    opType: 'ResizeGrad',
    inputs: [dy, x, undefined, scales && tensorOf('float32', [1, 1, ...scales])],
    constants: [3],
    attributes,
    outputs: [like(x)],
    tolerance: 4e-6,
    reference: {
      by: 'the transpose of Resize',
      because: 'its kernel is on CUDA only',
      outputs: () => adjoint(dy, resizing, x),
    },
    note: scales ? `scales ${scales}` : '',
  };
});
