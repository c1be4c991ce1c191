import { fileURLToPath } from 'node:url';
import { adamw, type Feeds, type TrainingOptions } from '@gradware/core';
import { Tensor, TrainingSession } from '@gradware/core/node';
import { batches } from '@gradware/data';
import { readDataset, toInputs } from '@gradware/data/node';
import { lossScale } from '@gradware/plugin-loss-scale';
import { normClip } from '@gradware/plugin-norm-clip';
import { expect, test } from 'vitest';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { modelWriter } from '../support/forward-models.js';
import { perceptron } from '../support/perceptron.js';
import { noHalfPrecision } from '../support/webgpu.js';

const missing = await noHalfPrecision();
if (missing !== undefined) console.warn(`Skipped on webgpu: ${missing}`);

const digits = (file: string) =>
  fileURLToPath(new URL(`../../models/digits/${file}`, import.meta.url));

const options: TrainingOptions = { optimizer: adamw(), learningRate: 2e-3, seed: 1 };

/** The whole training set, as the CNN wants it. */
async function trainingSet(session: TrainingSession): Promise<Feeds> {
  const { columns } = toInputs(
    await readDataset(digits('digits-train.npz')),
    session.trainingInputs.map(({ name, type, shape }) => ({
      name,
      type: type as 'float32',
      shape: [...(shape ?? [])],
    })),
  );
  return Object.fromEntries(
    [...columns.values()].map(({ name, type, shape, data }) => [
      name,
      new Tensor(type as 'float32', data as Float32Array, shape),
    ]),
  );
}

/** Means of the loss over a window of steps each. */
async function curve(own: TrainingOptions, steps: number, window: number) {
  const session = await TrainingSession.create(digits('cnn.onnx'), { ...options, ...own });
  const data = await trainingSet(session);
  const count = Object.values(data)[0]?.dims[0] ?? 0;
  const rows = [0, 1, 2, 3].flatMap((epoch) => [
    ...batches({ length: count, batchSize: 32, seed: 5, epoch, dropLast: true }),
  ]);
  const { losses, metrics } = await session.steps({ data, rows: rows.slice(0, steps) });
  const means = Array.from({ length: steps / window }, (_, i) => {
    const part = losses.subarray(i * window, (i + 1) * window);
    return part.reduce((total, loss) => total + loss, 0) / window;
  });
  await session.release();
  return { means, metrics };
}

const relative = (got: readonly number[], wanted: readonly number[]) =>
  got.map((value, i) => Math.abs(value - (wanted[i] ?? 0)) / (wanted[i] ?? 1));

test('the digits CNN learns in float16 as in float32', { timeout: 300_000 }, async () => {
  const full = await curve({}, 120, 20);
  const half = await curve({ mixedPrecision: lossScale() }, 120, 20);
  expect(full.means.at(-1)).toBeLessThan(0.6 * (full.means[0] ?? 0));
  expect(Math.max(...relative(half.means, full.means))).toBeLessThan(0.02);
  // Other arithmetic, not the same in disguise.
  expect(half.means).not.toEqual(full.means);
  expect(half.metrics['loss-scale.skipped']?.at(-1)).toBe(0);
});

test.skipIf(missing !== undefined)('and on webgpu', { timeout: 300_000 }, async () => {
  const executionProviders = ['webgpu'] as const;
  const full = await curve({ executionProviders }, 20, 5);
  const half = await curve({ executionProviders, mixedPrecision: lossScale() }, 20, 5);
  expect(Math.max(...relative(half.means, full.means))).toBeLessThan(0.02);
  expect(half.means).not.toEqual(full.means);
});

const inputs = {
  x: new Tensor('float32', [1, -2, 3, -4], [2, 2]),
  labels: new Tensor('int64', [0n, 1n], [2]),
};

test('a scale that overflows float16 drops steps until it does not', async () => {
  const session = await TrainingSession.create(perceptron([2, 4, 3]), {
    ...options,
    mixedPrecision: lossScale({ initialScale: 2 ** 24 }),
    plugins: [normClip({ maxNorm: 1 })],
  });
  const before = (await session.getContiguousParameters()).data;
  const { dropped, metrics } = await session.steps(Array.from({ length: 16 }, () => inputs));
  const first = dropped.indexOf(false);
  expect(first).toBeGreaterThan(2);
  expect(dropped.slice(first)).not.toContain(true);
  expect(metrics['loss-scale.scale']?.at(-1)).toBe(2 ** (24 - first));
  expect((await session.getContiguousParameters()).data).not.toEqual(before);
});

test('small gradients survive, because the loss is scaled', async () => {
  // The smallest float16 above zero: times a probability, it is nearer to zero.
  const x = new Tensor('float32', [2 ** -24, -(2 ** -24)], [1, 2]);
  const zeros = [];
  for (const initialScale of [1, 2 ** 16]) {
    const session = await TrainingSession.create(perceptron([2, 3]), {
      ...options,
      mixedPrecision: lossScale({ initialScale }),
    });
    await session.runTrainStep({ x, labels: new Tensor('int64', [0n], [1]) });
    const gradient = (await session.gradients()).get('w0')?.data as Float32Array;
    zeros.push(gradient.filter((value) => value === 0).length);
  }
  expect(zeros[0]).toBeGreaterThanOrEqual(4);
  expect(zeros[1]).toBe(0);
});

test('places in an image keep their digits, beyond 64 pixels too', async () => {
  const { filled, add, model } = modelWriter();
  const offset = add('Conv', ['x', filled('k', [2, 1, 1, 1], 0), filled('b', [2], 0.3)]);
  add('DeformConv', ['x', filled('one', [1, 1, 1, 1], 1), offset], {}, 'y');
  const size = [1, 1, 1, 200];
  const bytes = encodeModel({ ...model(size, size), opsets: new Map([['', 19]]) });
  const session = await TrainingSession.create(bytes, {
    ...{ ...options, loss: 'mse', mixedPrecision: lossScale() },
  });
  const x = Float32Array.from({ length: 200 }, (_, i) => i % 2);
  const { loss } = await session.step({
    x: new Tensor('float32', x, size),
    target: new Tensor('float32', new Float32Array(200), size),
  });
  // 0.7 of the row, and of the pixels 0.3 and 0.7 by turns.
  expect(loss).toBeCloseTo(0.49 * (0.09 + 0.49) * 0.5, 3);
  await session.release();
});

test('half of a step at a time gives the same as all of it', async () => {
  const create = () =>
    TrainingSession.create(perceptron([2, 4, 3]), { ...options, mixedPrecision: lossScale() });
  const [whole, parts] = [await create(), await create()];
  for (let i = 0; i < 3; i++) {
    await whole.step(inputs);
    await parts.runTrainStep(inputs);
    await parts.runOptimizerStep();
    await parts.lazyResetGrad();
  }
  expect((await parts.getContiguousParameters()).data).toEqual(
    (await whole.getContiguousParameters()).data,
  );
});

test('wants the plugin that scales', async () => {
  const wrong = { mixedPrecision: normClip() };
  await expect(TrainingSession.create(perceptron([2, 3]), wrong)).rejects.toThrow(
    'mixedPrecision takes the plugin that scales the loss',
  );
});
