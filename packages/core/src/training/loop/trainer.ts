import { GradwareError } from '../../errors.js';
import type { Feeds, StepsResult, TrainingSession } from '../api.js';
import { type Evaluation, type EvaluationOptions, evaluate } from './evaluation.js';
import { createPace } from './pace.js';

/** Where training stands: this many batches of this epoch (counted from 0) are done. */
export interface Position {
  readonly epoch: number;
  readonly batch: number;
}

export interface TrainerOptions {
  /** The whole training set by input name: [N, ...]. */
  readonly data: Feeds;
  /** The rows of each batch of an epoch, in order. Has to be a function of the epoch alone for training to be resumed
   *  exactly. */
  readonly order: (epoch: number) => Iterable<ArrayLike<number>>;
  readonly epochs: number;
  /** Where to go on. Default: the beginning. */
  readonly start?: Position | undefined;
  /** Evaluated after each epoch. */
  readonly validation?: (EvaluationOptions & { readonly data: Feeds }) | undefined;
  /** How long one run should take, in milliseconds: the time between two events. Default 100. */
  readonly runTime?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Some steps were made. */
export interface StepsEvent {
  readonly type: 'steps';
  /** Where training stands now. */
  readonly position: Position;
  /** Steps made so far, these included. */
  readonly step: number;
  readonly result: StepsResult;
}

/** An epoch is complete. */
export interface EpochEvent {
  readonly type: 'epoch';
  /** The epoch that ended, counted from 0. */
  readonly epoch: number;
  readonly step: number;
  /** Means over the examples of the epoch; those of a resumed epoch over what was left of it. */
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly validation?: Evaluation | undefined;
  readonly seconds: number;
}

export type TrainingEvent = StepsEvent | EpochEvent;

type Trainable = Pick<
  TrainingSession,
  'steps' | 'stepCount' | 'evalInputNames' | 'evalOutputNames' | 'scoreNames' | 'runEvalStep'
>;

/** Trains for some epochs, several steps in one run. What comes out does not depend on how many: they only decide how
 *  often there is news. Between two events the session rests and may be saved or changed.
 *  @throws GradwareError ABORTED between two runs, so that the session is as the last event left it */
export async function* train(
  session: Trainable,
  options: TrainerOptions,
): AsyncGenerator<TrainingEvent, void, undefined> {
  const { data, order, epochs, validation, signal } = options;
  const start = options.start ?? { epoch: 0, batch: 0 };
  const pace = createPace(options.runTime ?? 100);
  for (let epoch = start.epoch; epoch < epochs; epoch++) {
    const began = performance.now();
    const mean = createMeans();
    const batches = [...order(epoch)];
    let batch = epoch === start.epoch ? start.batch : 0;
    while (batch < batches.length) {
      refuseAborted(signal, session.stepCount);
      const rows = sameSize(batches.slice(batch, batch + pace.steps));
      const result = await pace.measure(rows.length, () => session.steps({ data, rows }));
      batch += rows.length;
      mean.add(result, rows[0]?.length ?? 0);
      yield { type: 'steps', position: { epoch, batch }, step: session.stepCount, result };
    }
    refuseAborted(signal, session.stepCount);
    const evaluation = validation && (await evaluate(session, validation.data, validation));
    const seconds = (performance.now() - began) / 1000;
    const step = session.stepCount;
    yield { type: 'epoch', epoch, step, ...mean.get(), validation: evaluation, seconds };
  }
}

function refuseAborted(signal: AbortSignal | undefined, step: number): void {
  if (signal?.aborted)
    throw new GradwareError('ABORTED', `Stopped after step ${step}`, { cause: signal.reason });
}

/** The first batches that have one size: a step is compiled for exact shapes. */
function sameSize(batches: readonly ArrayLike<number>[]): readonly ArrayLike<number>[] {
  const other = batches.findIndex((rows) => rows.length !== batches[0]?.length);
  return other < 0 ? batches : batches.slice(0, other);
}

function createMeans() {
  const sums = new Map<string, { total: number; weight: number }>();
  // What a plugin does not report at a step (because it rests) is NaN there.
  function add(key: string, values: ArrayLike<number>, weight: number): void {
    const sum = sums.get(key) ?? { total: 0, weight: 0 };
    for (let i = 0; i < values.length; i++) {
      const value = values[i] ?? Number.NaN;
      if (Number.isNaN(value)) continue;
      sum.total += value * weight;
      sum.weight += weight;
    }
    sums.set(key, sum);
  }
  const mean = ({ total, weight }: { total: number; weight: number }) => total / weight;
  return {
    add({ losses, metrics }: StepsResult, weight: number): void {
      add('', losses, weight);
      for (const [name, values] of Object.entries(metrics)) add(name, values, weight);
    },
    get(): { loss: number; metrics: Readonly<Record<string, number>> } {
      const { '': loss = Number.NaN, ...metrics } = Object.fromEntries(
        [...sums].map(([name, sum]) => [name, mean(sum)]),
      );
      return { loss, metrics };
    },
  };
}
