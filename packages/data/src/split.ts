import { GradwareError } from '@gradware/core';
import { checkInteger } from './batches.js';
import { checkRows, type Dataset, take } from './dataset.js';
import { createRandom, permutation } from './random.js';

export interface SplitRows {
  readonly train: Int32Array;
  readonly heldOut: Int32Array;
}

export interface Split {
  readonly train: Dataset;
  readonly heldOut: Dataset;
}

/** Sets the stream of `split` apart from those of epochs. */
const SPLIT_STREAM = 0x5350_4c49;

/** Holds examples out, for validation. Both parts keep the order of the data and have their own memory.
 *  @param heldOut the fraction to hold out, between 0 and 1, drawn by `seed`; or the rows themselves
 *  @throws GradwareError INVALID_OPTION when a part would be empty, or for rows that are not there or repeat */
export function split(dataset: Dataset, heldOut: number | ArrayLike<number>, seed = 0): Split {
  const rows = splitRows(dataset.length, heldOut, seed);
  return { train: take(dataset, rows.train), heldOut: take(dataset, rows.heldOut) };
}

/** The rows of the two parts of a data set of `length` examples, ascending; see `split`. */
export function splitRows(
  length: number,
  heldOut: number | ArrayLike<number>,
  seed = 0,
): SplitRows {
  checkInteger('seed', seed, 0);
  const chosen = typeof heldOut === 'number' ? draw(length, heldOut, seed) : heldOut;
  checkRows(chosen, length);

  const held = new Uint8Array(length);
  for (let i = 0; i < chosen.length; i++) held[chosen[i]!] = 1;
  const rows = Int32Array.from({ length }, (_, row) => row);
  const parts = {
    train: rows.filter((row) => held[row] === 0),
    heldOut: rows.filter((row) => held[row] === 1),
  };
  if (parts.heldOut.length !== chosen.length) {
    throw new GradwareError('INVALID_OPTION', 'A row to hold out is named twice', {
      remedy: 'Name each row once.',
    });
  }
  if (parts.train.length === 0 || parts.heldOut.length === 0) {
    throw new GradwareError(
      'INVALID_OPTION',
      `Of ${length} examples, ${parts.heldOut.length} would be held out and ${parts.train.length} trained on`,
      { remedy: 'Both parts need at least one example: give more data or another fraction.' },
    );
  }
  return parts;
}

function draw(length: number, fraction: number, seed: number): Int32Array {
  if (!(fraction > 0 && fraction < 1)) {
    throw new GradwareError('INVALID_OPTION', `The fraction to hold out is ${fraction}`, {
      remedy: 'Give a number between 0 and 1, such as 0.2.',
    });
  }
  return permutation(length, createRandom(seed, SPLIT_STREAM)).subarray(
    0,
    Math.round(length * fraction),
  );
}
