import { expect, test } from 'vitest';
import type { Value } from '../../packages/core/src/graph/value.js';
import { sgd } from '../../packages/core/src/optimizers/sgd.js';
import { definePlugin, type Prefix } from '../../packages/core/src/plugins/plugin.js';
import { errorFeedback, round } from '../support/small-plugins.js';
import { batch, batches, close, open, trained, weights } from '../support/small-session.js';

test('error feedback keeps what a compressor drops', async () => {
  const options = { optimizer: sgd(), learningRate: 1 };
  const session = await open({ ...options, plugins: [errorFeedback(round({ unit: 0.5 }))] });
  const plain = await open(options);
  await session.runTrainStep(batch(0));
  await plain.runTrainStep(batch(0));
  const before = await weights(session);
  await session.runOptimizerStep();
  const sent = (await weights(session)).map((w, i) => (before[i] ?? 0) - w);
  const gradients = [...(await plain.gradients()).values()].flatMap((g) => [
    ...(g.data as Float32Array),
  ]);
  close(
    sent,
    gradients.map((g) => Math.round(g / 0.5) * 0.5),
    1e-5,
  );
  expect(sent.some((v, i) => Math.abs(v - (gradients[i] ?? 0)) > 0.01)).toBe(true);
});

test('a compressor reports the bytes of its encoded form', async () => {
  const session = await open({ plugins: [round()] });
  const { metrics } = await session.step(batch(0));
  expect(metrics['round.bytes']).toBe(24);
});

test('a compressor with a faster transform reports what encode would send, and is not touched by it', async () => {
  const counted = definePlugin({
    name: 'counted',
    options: {},
    transform: (gradients, { state, op }) =>
      gradients.map((g) => {
        const sum = state('sum', { like: g });
        return sum.set(op.Add(g, sum.value));
      }),
    encode(g, { state, op, metric }) {
      const sum = state('sum', { like: g });
      metric('never', op.scalar(1));
      return { sum: sum.set(op.Mul(op.Add(g, sum.value), 9)) };
    },
    decode: ({ sum }) => sum as Value,
  });
  const session = await open({ plugins: [counted()] });
  const { metrics } = await session.step(batch(0));
  expect(metrics).toEqual({ 'counted.bytes': 96, 'counted.bits-per-element': 32 });
  await session.step(batch(1));
  expect(await weights(session)).toEqual(
    await trained({ plugins: [{ ...counted(), encode: undefined }] }, batches(2)),
  );
});

test('of a payload whose length depends on data, what is sent is counted', async () => {
  const positives = definePlugin({
    name: 'positives',
    options: {},
    encode(g, { op }) {
      const length = op.sum(op.cast(op.Greater(g, 0), 'float32'));
      return { all: { value: g, length: op.cast(length, 'int32') } };
    },
    decode: ({ all }) => (all as Prefix).value,
  });
  const session = await open({ plugins: [positives()] });
  await session.runTrainStep(batch(0));
  const gradients = [...(await session.gradients()).values()].map(({ data }) => [...data]);
  const count = gradients.flat().filter((x) => Number(x) > 0).length;
  const { metrics } = await (await open({ plugins: [positives()] })).step(batch(0));
  expect(count).toBeGreaterThan(0);
  expect(metrics['positives.bytes']).toBe(4 * count);
});
