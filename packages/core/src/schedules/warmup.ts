import { checkArguments } from './check.js';
import { type Schedule, type Setting, valueAt } from './schedule.js';

/** Rises in equal steps from `from` to where the schedule begins, then follows it from its own step 0 on.
 *  from + (schedule(0) - from) · t / steps, then schedule(t - steps)   (optax.join_schedules of a
 *  linear_schedule and another, as in optax.warmup_cosine_decay_schedule) */
export function warmup(schedule: Setting, steps: number, from = 0): Schedule {
  checkArguments('warmup', { steps: [steps, 'step'], from: [from, 'finite'] });
  return (step) =>
    step < steps
      ? from + ((valueAt(schedule, 0) - from) * step) / steps
      : valueAt(schedule, step - steps);
}
