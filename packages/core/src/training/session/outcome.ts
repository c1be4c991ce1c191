import { GradwareError } from '../../errors.js';
import { names } from '../../step/program.js';
import type { Ran } from './run.js';

export function refuseDivergence(step: number, loss: number): never {
  throw new GradwareError('NONFINITE_LOSS', `The loss is ${loss} at step ${step}`, {
    remedy:
      'Parameters are as they were before this step. Lower the learning rate, clip the gradients (norm-clip), or look at the data of this step.',
  });
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
