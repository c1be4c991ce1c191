import { expect, test } from 'vitest';
import { GradwareError } from '../../packages/core/src/errors.js';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import type { Attributes } from '../../packages/core/src/graph/value.js';
import type { TensorData } from '../../packages/core/src/onnx/ir.js';
import { modelGradients } from '../support/model-gradients.js';
import { modelOf, weighed } from './golden-layers.js';

const image = { type: 'float32', dims: [1, 1, 3, 3], data: new Float32Array(9).fill(1) } as const;

function gridOf(...numbers: readonly number[]): TensorData {
  return { type: 'float32', dims: [1, 1, numbers.length / 2, 2], data: Float32Array.from(numbers) };
}

function sampled(attributes: Attributes, grid: TensorData) {
  const [, height = 0, width = 0] = grid.dims;
  const output = tensorOf('float32', Array(height * width).fill(1), [1, 1, height, width]);
  const given = new Map<string, TensorData>([
    ['image', image],
    ['grid', grid],
    ['output', output],
  ]);
  const layer = { opType: 'GridSample', opset: 20, inputs: ['image', 'grid'], attributes };
  const data = new Map([...given, ['weights', output]] as const);
  return modelGradients(modelOf(layer, given), data, weighed, ['image', 'grid']);
}

test.each([
  [{ mode: 'bilinear' }, /mode "bilinear"/],
  [{ padding_mode: 'wrap' }, /padding.mode "wrap"/],
])('GridSample with %o is refused', async (attributes, message) => {
  await expect(sampled(attributes, gridOf(0, 0))).rejects.toThrow(message);
  await expect(sampled(attributes, gridOf(0, 0))).rejects.toBeInstanceOf(GradwareError);
});

test.each(['zeros', 'border', 'reflection'])(
  'places that are no numbers give none, with %s',
  async (padding_mode) => {
    for (const mode of ['linear', 'cubic']) {
      const { loss, gradients } = await sampled({ mode, padding_mode }, gridOf(Number.NaN, 0));
      expect(loss).toBeNaN();
      const found = Array.from(gradients.get('image')?.data as Float32Array);
      expect(found.some(Number.isNaN)).toBe(true);
      const far = await sampled({ mode, padding_mode }, gridOf(1e30, -1e30, 0, 0));
      expect(far.loss).toBeCloseTo(padding_mode === 'zeros' ? 1 : 2, 5);
    }
  },
);
