import { checkArguments } from './check.js';
import type { Schedule } from './schedule.js';

/** From one value to another along a power of the time left; stays there after `steps`.
 *  to + (from - to) · (1 - min(t, steps) / steps)^power   (optax.polynomial_schedule; with to = 0
 *  torch.optim.lr_scheduler.PolynomialLR) */
export function polynomial(from: number, to: number, steps: number, power: number): Schedule {
  checkArguments('polynomial', {
    from: [from, 'finite'],
    to: [to, 'finite'],
    steps: [steps, 'count'],
    power: [power, 'positive'],
  });
  return (step) => (step >= steps ? to : to + (from - to) * (1 - step / steps) ** power);
}
