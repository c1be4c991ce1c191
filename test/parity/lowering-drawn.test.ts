import { expect, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import type { Attributes } from '../../packages/core/src/graph/value.js';
import { Tensor, TrainingSession } from '../../packages/core/src/node.js';
import type { TensorData } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { modelWriter } from '../support/forward-models.js';
import { runLowered } from '../support/lowering.js';

const dims = [60, 70];
const count = 60 * 70;
const like = tensorOf('float32', Array<number>(count).fill(0.3), dims);

interface Row {
  readonly opType: string;
  readonly inputs?: readonly TensorData[];
  readonly attributes?: Attributes;
  readonly mean: number;
  readonly deviation: number;
}

const rows: readonly Row[] = [
  { opType: 'RandomUniform', attributes: { shape: dims }, mean: 0.5, deviation: Math.sqrt(1 / 12) },
  {
    opType: 'RandomUniformLike',
    inputs: [like],
    attributes: { low: -2, high: 4 },
    mean: 1,
    deviation: 6 * Math.sqrt(1 / 12),
  },
  { opType: 'RandomNormal', attributes: { shape: dims }, mean: 0, deviation: 1 },
  {
    opType: 'RandomNormalLike',
    inputs: [like],
    attributes: { mean: 3, scale: 0.5 },
    mean: 3,
    deviation: 0.5,
  },
  { opType: 'Bernoulli', inputs: [like], mean: 0.3, deviation: Math.sqrt(0.21) },
];

test.each(rows)('$opType has its mean and deviation, and draws them again', async (row) => {
  const { opType, inputs = [], attributes = {}, mean, deviation } = row;
  const given = {
    opType,
    inputs,
    attributes,
    outputs: [{ type: 'float32', shape: dims }],
  } as const;
  const [first, second] = [await runLowered(given), await runLowered(given)];
  const values = Array.from(first.outputs[0]?.data as Float32Array);
  expect(second.outputs[0]?.data).toEqual(first.outputs[0]?.data);
  const found = values.reduce((sum, value) => sum + value, 0) / count;
  expect(Math.abs(found - mean)).toBeLessThan((4 * deviation) / Math.sqrt(count));
  const variance = values.reduce((sum, value) => sum + (value - found) ** 2, 0) / count;
  expect(Math.sqrt(variance) / deviation).toBeCloseTo(1, 1);
  expect(first.nodes.map((node) => node.opType)).not.toContain(opType);
});

test('a model that draws noise repeats itself, and draws anew in every step', async () => {
  const { add, weight, model } = modelWriter();
  const hidden = add('MatMul', ['x', weight('w', [5, 8])]);
  const noisy = add('Add', [hidden, add('RandomNormalLike', [hidden])]);
  add('MatMul', [noisy, weight('v', [8, 3])], {}, 'y');
  const bytes = encodeModel(model(['n', 5], ['n', 3]));
  const batch = {
    x: new Tensor('float32', new Float32Array(10).fill(0.5), [2, 5]),
    target: new Tensor('float32', new Float32Array(6), [2, 3]),
  };
  const losses = async (together: boolean) => {
    const session = await TrainingSession.create(bytes, { loss: 'mse', learningRate: 0, seed: 3 });
    const three = [batch, batch, batch];
    const made = together
      ? [...(await session.steps(three)).losses]
      : [
          (await session.step(batch)).loss,
          (await session.step(batch)).loss,
          (await session.step(batch)).loss,
        ];
    await session.release();
    return made;
  };
  const once = await losses(true);
  expect(new Set(once).size).toBe(3);
  expect(await losses(false)).toEqual(once);
});
