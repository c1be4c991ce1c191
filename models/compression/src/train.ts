import { readFileSync } from 'node:fs';
import { evaluate, schedules, sgd } from '@gradware/core';
import { type Feeds, Tensor, TrainingSession } from '@gradware/core/node';
import { createRandom, decodeDataset, permutation } from '@gradware/data';
import type { Method } from './methods.js';

/** The same for every method: what suits SGD without compression. */
export const settings = { learningRate: 0.05, momentum: 0.9, batchSize: 32, epochs: 10 } as const;

export interface Run {
  /** Share of the held-out images that are read right after the last epoch. */
  readonly accuracy: number;
  /** Bytes that a worker would send at each step. */
  readonly bytes: number;
}

const digits = new URL('../../digits/', import.meta.url);

/** A file of models/digits as feeds: `image` and `labels`. */
function read(name: string): Feeds {
  const { columns } = decodeDataset({ name, bytes: readFileSync(new URL(name, digits)) });
  return Object.fromEntries(
    [...columns].map(([column, { type, data, shape }]) => [
      column,
      new Tensor(type as 'float32', data as Float32Array, shape),
    ]),
  );
}

/** Trains the digits CNN from its own start. The seed decides the order of the images, and what compressors draw. */
export async function trainOnce(method: Method, seed: number): Promise<Run> {
  const [data, heldOut] = [read('digits-train.npz'), read('digits-test.npz')];
  const { learningRate, momentum, batchSize, epochs } = settings;
  const count = data.labels?.dims[0] ?? 0;
  const perEpoch = Math.floor(count / batchSize);
  const session = await TrainingSession.create(new URL('cnn.onnx', digits), {
    loss: 'cross-entropy',
    optimizer: sgd({ momentum }),
    learningRate: schedules.cosine(learningRate, 0, perEpoch * epochs),
    plugins: method.chain(),
    metrics: ['*.bytes'],
    // As fast as two for a network this small, and kinder to a busy machine.
    session: { intraOpNumThreads: 1 },
    seed,
  });
  const sizes: number[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = permutation(count, createRandom(seed, epoch));
    const rows = Array.from({ length: perEpoch }, (_, k) =>
      order.subarray(k * batchSize, (k + 1) * batchSize),
    );
    const { metrics } = await session.steps({ data, rows });
    for (const bytes of Object.values(metrics)) sizes.push(...bytes);
  }
  const { accuracy = Number.NaN } = await evaluate(session, heldOut);
  const whole = await session.getParametersSize();
  await session.release();
  const bytes =
    sizes.length === 0 ? 4 * whole : sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
  return { accuracy, bytes };
}
