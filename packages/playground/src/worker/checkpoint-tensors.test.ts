import { TrainingSession } from '@gradware/core/node';
import { expect, test } from 'vitest';
import { floatsIn, withoutTensors } from './checkpoint-tensors.js';
import { countMagnitudes } from './histogram.js';
import { makeChain } from './parts.js';
import { seenKey } from './probe.js';

const model = new URL('../../../../models/digits/mlp.onnx', import.meta.url);

async function openTrained() {
  const session = await TrainingSession.create(model, {
    plugins: makeChain([{ key: 'a', name: 'value-clip', options: { max: 1e-4 } }], true),
  });
  const { Tensor } = await import('@gradware/core/node');
  const image = new Tensor(
    'float32',
    Float32Array.from({ length: 128 }, (_, i) => (i % 7) / 7),
    [...[2, 1, 8, 8]],
  );
  const labels = new Tensor('int64', BigInt64Array.of(3n, 5n), [2]);
  await session.step({ image, labels });
  return session;
}

test('finds the gradients before and after the chain in a checkpoint', async () => {
  const session = await openTrained();
  const checkpoint = await session.checkpoint();
  const keys = ['before', 'after'].map((side) => seenKey(side as 'before', 'fc2.weight'));
  const found = floatsIn(checkpoint, [...keys, 'no such key']);
  expect([...found.keys()]).toEqual(keys);
  const [before = new Float32Array(), after] = [...found.values()];
  expect(before.length).toBe(1280);
  const clipped = before.map((g) => Math.fround(Math.min(1e-4, Math.max(-1e-4, g))));
  expect(after).toEqual(clipped);
  expect(before).not.toEqual(clipped);
  await session.release();
});

test('a checkpoint without some state is loaded as any other', async () => {
  const session = await openTrained();
  const whole = await session.checkpoint();
  const part = withoutTensors(whole, (key) => key.startsWith('plugin/'));
  expect(part.byteLength).toBeLessThan(whole.byteLength);
  expect(floatsIn(part, [seenKey('before', 'fc2.weight')]).size).toBe(0);
  const weight = (await session.getParameter('fc2.weight')).data;
  const other = await TrainingSession.create(model);
  await other.loadCheckpoint(part);
  expect((await other.getParameter('fc2.weight')).data).toEqual(weight);
  expect(other.stepCount).toBe(1);
  await other.release();
  await session.release();
});

test('counts magnitudes by powers of ten, zeros apart, and what is no number not at all', () => {
  const { bins, zeros } = countMagnitudes([
    Float32Array.of(0, -0, 1.1, -1.1, Number.NaN, 1e-30, Number.POSITIVE_INFINITY),
  ]);
  expect(zeros).toBe(2);
  expect(bins.reduce((sum, count) => sum + count, 0)).toBe(4);
  expect(bins[50]).toBe(2);
  expect([bins[0], bins.at(-1)]).toEqual([1, 1]);
});
