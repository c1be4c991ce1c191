import { checkArguments } from './check.js';
import type { Schedule } from './schedule.js';

/** Half a cosine from one value down (or up) to another; stays there after `steps`.
 *  to + (from - to) · (1 + cos(π · min(t, steps) / steps)) / 2
 *  (Loshchilov and Hutter 2017; torch.optim.lr_scheduler.CosineAnnealingLR up to T_max,
 *  optax.cosine_decay_schedule with alpha = to / from) */
export function cosine(from: number, to: number, steps: number): Schedule {
  checkArguments('cosine', {
    from: [from, 'finite'],
    to: [to, 'finite'],
    steps: [steps, 'count'],
  });
  return (step) =>
    step >= steps ? to : to + ((from - to) * (1 + Math.cos((Math.PI * step) / steps))) / 2;
}
