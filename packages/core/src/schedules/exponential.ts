import { checkArguments } from './check.js';
import type { Schedule } from './schedule.js';

/** Multiplied by `factor` over every `steps` steps, a little at each.
 *  from · factor^(t / steps)   (optax.exponential_decay; with steps = 1
 *  torch.optim.lr_scheduler.ExponentialLR) */
export function exponential(from: number, factor: number, steps = 1): Schedule {
  checkArguments('exponential', {
    from: [from, 'finite'],
    factor: [factor, 'positive'],
    steps: [steps, 'count'],
  });
  return (step) => from * factor ** (step / steps);
}
