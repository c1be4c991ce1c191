import { expect, test } from 'vitest';
import { generateArtifacts, Tensor, TrainingSession } from '../../packages/core/src/node.js';
import type { Dim, Model } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { modelWriter } from '../support/forward-models.js';

// What sizes a model takes shows when the first batch comes: until then it is laid out at sizes that fit.

const image: readonly Dim[] = ['batch', 2, 'height', 'width'];

/** A filter that is larger than the smallest image. */
function wide(): Model {
  const { add, weight, model } = modelWriter();
  add('GlobalAveragePool', [add('Conv', ['x', weight('w', [3, 2, 7, 7])])], {}, 'y');
  return model(image, ['batch', 3, 1, 1]);
}

/** Two rows become one: their number has to be even. */
function folded(): Model {
  const { add, weight, ints, model } = modelWriter();
  const pairs = add('Reshape', ['x', ints('pairs', [0, 4, -1, 1])]);
  const conv = add('Conv', [pairs, weight('w', [3, 4, 1, 1])]);
  add('GlobalAveragePool', [conv], {}, 'y');
  return model(image, ['batch', 3, 1, 1]);
}

/** Open, and right at one size alone. */
function flat(): Model {
  const { add, weight, model } = modelWriter();
  add('MatMul', [add('Flatten', ['x']), weight('w', [2 * 6 * 7, 3])], {}, 'y');
  return model(image, ['batch', 3]);
}

const numbers = (...dims: readonly number[]) => {
  const length = dims.reduce((product, dim) => product * dim, 1);
  return new Tensor(
    'float32',
    Float32Array.from({ length }, (_, i) => Math.sin(i)),
    dims,
  );
};

test.each([
  [
    'a filter larger than one pixel',
    wide(),
    [
      [2, 2, 9, 8],
      [3, 2, 7, 12],
    ],
    [1, 1],
  ],
  [
    'rows in pairs',
    folded(),
    [
      [2, 2, 4, 5],
      [1, 2, 6, 3],
    ],
    [1, 1],
  ],
  [
    'a number of pixels that only one size has',
    flat(),
    [
      [2, 2, 6, 7],
      [4, 2, 7, 6],
    ],
    [],
  ],
] as const)('%s', async (_, model, shapes, tail) => {
  const session = await TrainingSession.create(encodeModel(model), {
    loss: 'mse',
    learningRate: 1e-2,
  });
  expect(session.trainingInputNames).toEqual(['x', 'target']);
  for (const shape of shapes) {
    const batch = { x: numbers(...shape), target: numbers(shape[0], 3, ...tail) };
    const { losses } = await session.steps([batch, batch, batch]);
    expect(losses[2]).toBeLessThan(losses[0] as number);
  }
  await session.release();
});

test('sizes that do not fit are named', async () => {
  const session = await TrainingSession.create(encodeModel(flat()), { loss: 'mse' });
  const batch = { x: numbers(2, 2, 5, 5), target: numbers(2, 3) };
  await expect(session.step(batch)).rejects.toMatchObject({
    code: 'INVALID_MODEL',
    message: expect.stringContaining('x [2,2,5,5]'),
  });
  await session.release();
});

test('a model that no size fits is refused before there is a batch', async () => {
  const { add, weight, model } = modelWriter();
  const wrong = add('MatMul', [weight('v', [5, 4]), weight('w', [6, 3])]);
  add('MatMul', ['x', wrong], {}, 'y');
  const bytes = encodeModel(model(['batch', 'width'], ['batch', 3]));
  await expect(TrainingSession.create(bytes, { loss: 'mse' })).rejects.toThrow(/MatMul/);
});

test('artifacts of a model that takes one size say which dimensions to fix', async () => {
  const bytes = encodeModel(flat());
  const made = generateArtifacts(bytes, { loss: 'mse' });
  await expect(made).rejects.toThrow(/open dimensions \(batch, height, width\).*dimensions: \{/s);
  await generateArtifacts(bytes, { loss: 'mse', dimensions: { height: 6, width: 7 } });
});
