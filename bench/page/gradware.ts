import type { Feeds } from '@gradware/core';
import { batchCount, batchesOf, learningRate, type Task, type Trainer } from './contender.js';

type Entry = typeof import('@gradware/core/wasm') | typeof import('@gradware/core/web');

/** Ours. @param many whether all steps are made in one run */
export async function gradware(
  { TrainingSession, Tensor, adam, env }: Entry,
  task: Task,
  provider: 'wasm' | 'webgpu',
  many: boolean,
): Promise<Trainer> {
  env.wasm.numThreads = task.threads;
  const session = await TrainingSession.create(task.model, {
    executionProviders: [provider],
    loss: 'cross-entropy',
    optimizer: adam(),
    learningRate,
  });
  const [input = '', labels = ''] = session.trainingInputNames;
  const { batch, shape } = task;
  const given = batchesOf(task);
  const classes = (values: Int32Array) => BigInt64Array.from(values, BigInt);
  const feeds = given.map(
    (one): Feeds => ({
      [input]: new Tensor('float32', one.images, [batch, ...shape]),
      [labels]: new Tensor('int64', classes(one.labels), [batch]),
    }),
  );
  const size = (given[0]?.images.length ?? 0) * batchCount;
  const all = { images: new Float32Array(size), labels: new Int32Array(batch * batchCount) };
  given.forEach(({ images, labels: own }, i) => {
    all.images.set(images, i * images.length);
    all.labels.set(own, i * batch);
  });
  const data: Feeds = {
    [input]: new Tensor('float32', all.images, [batch * batchCount, ...shape]),
    [labels]: new Tensor('int64', classes(all.labels), [batch * batchCount]),
  };
  const rows = feeds.map((_, k) => Int32Array.from({ length: batch }, (_, i) => k * batch + i));
  return {
    async train(steps) {
      const which = Array.from({ length: steps }, (_, k) => k % batchCount);
      if (many) {
        const chosen = which.map((k) => rows[k] as Int32Array);
        return (await session.steps({ data, rows: chosen })).losses.at(-1) ?? Number.NaN;
      }
      let loss = Number.NaN;
      for (const k of which) ({ loss } = await session.step(feeds[k] as Feeds));
      return loss;
    },
  };
}
