import { GradwareError } from '../../errors.js';
import { didYouMean } from '../../options/nearest.js';
import type { Feeds, Fetches, RunOptions } from '../api.js';

/** What a call of onnxruntime-web/training asked for. */
export interface Asked {
  /** The outputs to return; undefined for all. */
  readonly wanted: readonly string[] | undefined;
  readonly signal: AbortSignal | undefined;
}

/** onnxruntime-web/training took the outputs to return, as a list of names or as an object with names as keys, before
 *  the options; either may be left out.
 *  @throws GradwareError INVALID_OPTION for an output that the model does not have */
export function readFetches(
  given: Fetches | RunOptions | undefined,
  options: RunOptions | undefined,
  outputs: readonly string[],
): Asked {
  if (given === undefined) return { wanted: undefined, signal: options?.signal };
  if (typeof given !== 'object' || given === null)
    throw new GradwareError('INVALID_OPTION', `The outputs to return are not a list: ${given}`, {
      remedy: `Give names: ['${outputs[0]}'].`,
    });
  const isList = Array.isArray(given);
  const names: readonly string[] = isList ? given : Object.keys(given);
  // As there: an object that names no output is the options.
  const isOptions = !isList && options === undefined && !names.some((key) => outputs.includes(key));
  if (isOptions) return { wanted: undefined, signal: (given as RunOptions).signal };
  for (const name of names) {
    if (outputs.includes(name)) continue;
    throw new GradwareError('INVALID_OPTION', `There is no output "${name}"`, {
      remedy: didYouMean(name, outputs),
    });
  }
  return { wanted: names, signal: options?.signal };
}

/** The outputs that were asked for. */
export function fetched(all: Feeds, { wanted }: Asked): Feeds {
  return wanted === undefined
    ? all
    : Object.fromEntries(Object.entries(all).filter(([name]) => wanted.includes(name)));
}
