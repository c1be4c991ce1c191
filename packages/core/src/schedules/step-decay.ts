import { checkArguments } from './check.js';
import type { Schedule } from './schedule.js';

/** Multiplied by `factor` at once after every `steps` steps.
 *  from · factor^⌊t / steps⌋   (torch.optim.lr_scheduler.StepLR; optax.exponential_decay with staircase) */
export function stepDecay(from: number, factor: number, steps: number): Schedule {
  checkArguments('step', {
    from: [from, 'finite'],
    factor: [factor, 'positive'],
    steps: [steps, 'count'],
  });
  return (step) => from * factor ** Math.floor(step / steps);
}
