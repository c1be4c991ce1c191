import { Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import type { GradientPlugin } from '../../packages/core/src/plugins/plugin.js';
import type { Feeds } from '../../packages/core/src/training/api.js';
import {
  accumulate,
  errorFeedback,
  freeze,
  halveOnHost,
  lossScale,
  round,
  scaleBy,
  skipNonfinite,
} from '../support/small-plugins.js';
import { batch, batches, close, open, trained, weights } from '../support/small-session.js';

/** Every way of running the same steps gives the same bits. */
const chains: readonly (readonly [string, () => readonly GradientPlugin[]])[] = [
  ['an empty chain', () => []],
  ['accumulate', () => [accumulate({ n: 2 })]],
  ['skip-nonfinite', () => [skipNonfinite()]],
  ['loss-scale', () => [lossScale()]],
  ['freeze one layer', () => [freeze({ include: 'w1' })]],
  ['error feedback around a compressor', () => [errorFeedback(round())]],
  ['masked in time', () => [scaleBy(0.5), { ...scaleBy(3), every: 2, from: 1, until: 5 }]],
  ['all together', () => [skipNonfinite(), lossScale(), accumulate(), errorFeedback(round())]],
];

for (const [title, plugins] of chains)
  test(`K steps in one run give the bits of K runs of one: ${title}`, async () => {
    const one = await trained({ plugins: plugins() });
    for (const intraOpNumThreads of [1, 2, 3]) {
      const session = await open({ plugins: plugins(), session: { intraOpNumThreads } });
      await session.steps(batches(6).slice(0, 4));
      await session.steps(batches(6).slice(4));
      expect(await weights(session)).toEqual(one);
      await session.release();
    }
  });

test('rows of a data set give the bits of stacked batches', async () => {
  const data: Feeds = {
    x: new Tensor(
      'float32',
      Float32Array.from({ length: 30 }, (_, i) => Math.cos(i)),
      [10, 3],
    ),
    target: new Tensor(
      'float32',
      Float32Array.from({ length: 20 }, (_, i) => Math.sin(i)),
      [10, 2],
    ),
  };
  const rows = [Int32Array.of(3, 1, 4), Int32Array.of(9, 2, 6), Int32Array.of(0, 0, 7)];
  const take = (name: 'x' | 'target', width: number, own: Int32Array) =>
    new Tensor(
      'float32',
      Float32Array.from({ length: own.length * width }, (_, i) => {
        const row = own[Math.floor(i / width)] as number;
        return data[name]?.data[row * width + (i % width)] as number;
      }),
      [own.length, width],
    );
  const stacked = rows.map((own) => ({ x: take('x', 3, own), target: take('target', 2, own) }));
  const [first, second] = [await open(), await open()];
  const byRows = await first.steps({ data, rows });
  const byBatches = await second.steps(stacked);
  expect([...byRows.losses]).toEqual([...byBatches.losses]);
  expect(await weights(first)).toEqual(await weights(second));
});

test('accumulating two micro-batches equals one step on their mean gradient', async () => {
  const found = await trained({ plugins: [accumulate({ n: 2 })] }, batches(2));
  const session = await open();
  await session.runTrainStep(batch(0));
  await session.runTrainStep(batch(1));
  session.learningRate = 0.025;
  await session.runOptimizerStep();
  close(found, await weights(session));
});

test('called apart, train step and optimizer step give the bits of one step', async () => {
  const session = await open({ plugins: [lossScale(), accumulate()] });
  for (const each of batches(6)) {
    await session.lazyResetGrad();
    await session.runTrainStep(each);
    await session.runOptimizerStep();
  }
  expect(await weights(session)).toEqual(await trained({ plugins: [lossScale(), accumulate()] }));
});

test('a host plugin sees typed arrays, in the middle of a chain, alone and called apart', async () => {
  const wanted = await trained({ plugins: [scaleBy(0.5), scaleBy(0.5), scaleBy(2)] });
  const plugins = () => [scaleBy(0.5), halveOnHost(), scaleBy(2)];
  expect(await trained({ plugins: plugins() })).toEqual(wanted);
  const session = await open({ plugins: plugins() });
  const { metrics } = await session.steps(batches(3));
  expect([...(metrics['halve-on-host.calls'] ?? [])]).toEqual([1, 2, 3]);
  for (const each of batches(6).slice(3)) {
    await session.lazyResetGrad();
    await session.runTrainStep(each);
    await session.runOptimizerStep();
  }
  close(await weights(session), wanted);
});

test('state of plugins and optimizer is in the checkpoint: resuming equals not stopping', async () => {
  const plugins = () => [lossScale(), errorFeedback(round()), accumulate({ n: 3 })];
  const wanted = await trained({ plugins: plugins() });
  const first = await open({ plugins: plugins() });
  await first.steps(batches(6).slice(0, 4));
  const saved = await first.checkpoint({ metadata: { epoch: '1' } });
  const second = await open({ plugins: plugins() });
  await second.loadCheckpoint(saved);
  expect(second.stepCount).toBe(4);
  expect(second.metadata).toMatchObject({ epoch: '1' });
  await second.steps(batches(6).slice(4));
  expect(await weights(second)).toEqual(wanted);
});
