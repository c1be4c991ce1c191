import { GradwareError } from '../errors.js';
import { checkArguments } from './check.js';
import type { Schedule } from './schedule.js';

/** Constant between boundaries: `piecewise(0.1, 1000, 0.01, 2000, 0.001)` is 0.1 before step 1000, 0.01 from step
 *  1000 on, and 0.001 from step 2000 on. (tf.keras PiecewiseConstantDecay; as in Optax, a boundary belongs to what
 *  follows it.) */
export function piecewise(first: number, ...rest: readonly number[]): Schedule {
  if (rest.length % 2 !== 0)
    throw new GradwareError('INVALID_OPTION', 'The schedule piecewise ends with a boundary', {
      remedy: 'Give a value, then any number of pairs: a step and the value from there on.',
    });
  checkArguments('piecewise', { 'value 1': [first, 'finite'] });
  const boundaries = rest.filter((_, i) => i % 2 === 0);
  const values = rest.filter((_, i) => i % 2 === 1);
  boundaries.forEach((boundary, i) => {
    checkArguments('piecewise', {
      [`boundary ${i + 1}`]: [boundary, 'step'],
      [`value ${i + 2}`]: [values[i] as number, 'finite'],
    });
    if (i > 0 && boundary <= (boundaries[i - 1] as number))
      throw new GradwareError(
        'INVALID_OPTION',
        `The boundaries of the schedule piecewise must rise, but ${boundary} follows ${boundaries[i - 1]}`,
      );
  });
  return (step) => {
    const passed = boundaries.filter((boundary) => step >= boundary).length;
    return passed === 0 ? first : (values[passed - 1] as number);
  };
}
