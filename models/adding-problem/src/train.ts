import { evaluate, GradwareError, schedules, sgd } from '@gradware/core';
import { TrainingSession } from '@gradware/core/node';
import { createRandom } from '@gradware/data';
import type { Method } from './methods.js';
import { recurrentNetwork } from './network.js';
import { sequences } from './problem.js';

/** The same for every method. */
export const settings = {
  hidden: 64,
  batchSize: 32,
  steps: 10_000,
  learningRate: 0.1,
  /** Share of the steps over which the learning rate rises from zero. */
  warmup: 0.05,
  /** Sequences that are never trained on. */
  heldOut: 2_000,
} as const;

export interface Task {
  readonly length: number;
  readonly seed: number;
  readonly steps?: number;
}

export interface Run {
  /** The step at which the loss was no number any more. */
  readonly diverged: number | undefined;
  /** Mean squared error on held-out sequences after the last step; NaN where training diverged. */
  readonly error: number;
}

/** Steps in one run of the session. */
const together = 100;

/** Trains on fresh sequences at every step. The seed decides the first weights and the sequences. */
export async function trainOnce(
  method: Method,
  { length, seed, steps = settings.steps }: Task,
): Promise<Run> {
  const { hidden, batchSize, warmup, heldOut } = settings;
  const learningRate = settings.learningRate * (method.rate ?? 1);
  const session = await TrainingSession.create(recurrentNetwork(length, hidden, seed), {
    loss: 'mse',
    optimizer: sgd(),
    learningRate: schedules.warmup(schedules.cosine(learningRate, 0, steps), warmup * steps),
    plugins: method.chain(),
    // The bias of the output is a single number, which would be taken for a constant.
    requiresGrad: ['rnn.*', 'out.*'],
    // The products are small: two networks side by side are faster than two threads on one.
    session: { intraOpNumThreads: 1 },
    metrics: false,
  });
  try {
    for (let done = 0; done < steps; done += together) {
      const count = Math.min(together, steps - done);
      const data = sequences(count * batchSize, length, createRandom(seed, 2, done));
      const rows = Array.from({ length: count }, (_, k) =>
        Int32Array.from({ length: batchSize }, (_, i) => k * batchSize + i),
      );
      await session.steps({ data, rows });
    }
    const { loss } = await evaluate(session, sequences(heldOut, length, createRandom(0)));
    return { diverged: Number.isFinite(loss) ? undefined : steps, error: loss };
  } catch (error) {
    if (!(error instanceof GradwareError) || error.code !== 'NONFINITE_LOSS') throw error;
    return { diverged: session.stepCount, error: Number.NaN };
  } finally {
    await session.release();
  }
}
