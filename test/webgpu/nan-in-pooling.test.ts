import { Tensor, TrainingSession } from '@gradware/core/node';
import { expect, test } from 'vitest';
import { noWebgpu } from '../support/webgpu.js';

const missing = await noWebgpu();
if (missing !== undefined) console.warn(`Skipped: ${missing}`);

const [examples, places] = [2, 64];

test.skipIf(missing !== undefined)(
  'an image that is not finite ends a step behind a max pooling, and leaves the weights',
  async () => {
    const session = await TrainingSession.create('models/digits/cnn.onnx', {
      executionProviders: ['webgpu'],
      loss: 'cross-entropy',
    });
    const before = await session.getParameter('conv1.weight');
    const pixels = Float32Array.from({ length: examples * places }, (_, i) => (i % 7) / 7);
    pixels[70] = Number.NaN;
    const image = new Tensor('float32', pixels, [examples, 1, 8, 8]);
    const labels = new Tensor('int64', BigInt64Array.of(3n, 5n), [examples]);
    await expect(session.step({ image, labels })).rejects.toThrow(/The loss is NaN/);
    const after = await session.getParameter('conv1.weight');
    expect([...(after.data as Float32Array)]).toEqual([...(before.data as Float32Array)]);
    await session.release();
  },
);
