import { GradwareError } from '@gradware/core';
import { createRandom, permutation } from './random.js';

export interface BatchOptions {
  /** The number of examples. */
  readonly length: number;
  readonly batchSize: number;
  /** Whether to visit the examples in random order; false if not given. */
  readonly shuffle?: boolean;
  /** Decides the order together with `epoch`; an integer from 0, 0 if not given. */
  readonly seed?: number;
  /** Counted from 0. The order of an epoch does not depend on those before it. */
  readonly epoch?: number;
  /** Whether to leave out the last batch when it is smaller; false if not given. */
  readonly dropLast?: boolean;
  /** The first batch to yield, to go on within an epoch; 0 if not given. */
  readonly start?: number;
}

/** The rows of each batch of one epoch; every example comes exactly once, but for what `dropLast` leaves out.
 *  The order is the same on every platform (see `createRandom`), so that a run can be resumed exactly.
 *  @throws GradwareError INVALID_OPTION at once, for a batch larger than the data and for options out of range */
export function batches(options: BatchOptions): Iterable<Int32Array> {
  const { length, batchSize, shuffle = false, seed = 0, epoch = 0, start = 0 } = options;
  const count = batchCount(options);
  checkInteger('seed', seed, 0);
  checkInteger('epoch', epoch, 0);
  checkInteger('start', start, 0);
  return {
    *[Symbol.iterator]() {
      const order = shuffle
        ? permutation(length, createRandom(seed, epoch))
        : Int32Array.from({ length }, (_, row) => row);
      for (let i = start; i < count; i++) yield order.slice(i * batchSize, (i + 1) * batchSize);
    },
  };
}

/** How many batches an epoch has.
 *  @throws GradwareError INVALID_OPTION */
export function batchCount({
  length,
  batchSize,
  dropLast = false,
}: Pick<BatchOptions, 'length' | 'batchSize' | 'dropLast'>): number {
  checkInteger('length', length, 0);
  checkInteger('batch size', batchSize, 1);
  if (batchSize > length) {
    throw new GradwareError(
      'INVALID_OPTION',
      `A batch of ${batchSize} is larger than the data, ${length} examples`,
      {
        remedy:
          length > 0 ? `Give a batch size of at most ${length}.` : 'Give data that is not empty.',
      },
    );
  }
  return dropLast ? Math.floor(length / batchSize) : Math.ceil(length / batchSize);
}

/** @throws GradwareError INVALID_OPTION unless value is an integer, at least `least` */
export function checkInteger(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new GradwareError('INVALID_OPTION', `The ${name} is ${value}`, {
    remedy: `Give an integer, at least ${least}.`,
  });
}
