import { GradwareError } from '../../errors.js';
import { names } from '../../step/program.js';
import type { Feeds } from '../api.js';
import type { Ran } from './run.js';

/** @param feeds what the step was fed, or whole data sets
 *  @param rows the examples of the step, where the feeds are data sets */
export function refuseDivergence(
  step: number,
  loss: number,
  feeds: Feeds = {},
  rows?: ArrayLike<number>,
): never {
  const culprit = nonFiniteInput(feeds, rows);
  throw new GradwareError(
    'NONFINITE_LOSS',
    `The loss is ${loss} at step ${step} (counted from 0)`,
    {
      ...(culprit !== undefined && { where: culprit }),
      remedy: `Parameters are as they were before this step. ${
        culprit === undefined
          ? 'Lower the learning rate, clip the gradients (norm-clip), or look at the data of this step.'
          : 'The data is not finite there: correct it, or leave such examples out.'
      }`,
    },
  );
}

/** Where the data itself is not finite: 'input "x", row 7'. */
function nonFiniteInput(feeds: Feeds, rows?: ArrayLike<number>): string | undefined {
  for (const [name, { type, dims, data, location }] of Object.entries(feeds)) {
    if (location === 'gpu-buffer' || (type !== 'float32' && type !== 'float64')) continue;
    const values = data as Float32Array | Float64Array;
    const length = dims[0] ?? 1;
    const width = values.length / Math.max(1, length);
    const wrong = (row: number) =>
      values.subarray(row * width, (row + 1) * width).some((value) => !Number.isFinite(value));
    const used = rows ?? Array.from({ length }, (_, row) => row);
    const row = Array.prototype.find.call(used, wrong) as number | undefined;
    if (row !== undefined) return `input "${name}", row ${row}`;
  }
  return undefined;
}

/** Ends training where a plugin asked for it.
 *  @param step the count of steps, with the one that asked
 *  @param turn its turn in the Loop
 *  @throws GradwareError STOPPED */
export function refuseStopped({ program, result }: Ran, step: number, turn = 0): void {
  const { values } = result;
  const stop = program.stops.find(({ name }) => {
    const tensor = values[program.feeding === 'single' ? name : names.collected(name)];
    return Boolean(tensor?.data[turn]);
  });
  if (stop === undefined) return;
  throw new GradwareError('STOPPED', `Training ends after step ${step - 1}: ${stop.reason}`, {
    where: `plugin ${stop.owner}`,
    remedy: 'What was reached is in the session, and can be saved.',
  });
}
