import { checkArguments } from './check.js';
import type { Schedule } from './schedule.js';

/** From one value to another in equal steps; stays there after `steps`.
 *  from + (to - from) · min(t, steps) / steps   (optax.linear_schedule) */
export function linear(from: number, to: number, steps: number): Schedule {
  checkArguments('linear', {
    from: [from, 'finite'],
    to: [to, 'finite'],
    steps: [steps, 'count'],
  });
  return (step) => (step >= steps ? to : from + ((to - from) * step) / steps);
}
