import { checkArguments } from './check.js';
import type { Schedule } from './schedule.js';

/** The same value at every step. */
export function constant(value: number): Schedule {
  checkArguments('constant', { value: [value, 'finite'] });
  return () => value;
}
