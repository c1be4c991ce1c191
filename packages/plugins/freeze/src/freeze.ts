import { definePlugin } from '@gradware/core';

/** Holds parameters still: their weights, the optimizer's moments and what later plugins keep of them stay as they are,
 *  and their gradients are zero, so that they count in no norm. `include` and `exclude` say which, `from` and `until`
 *  at which steps (as requires_grad_(False) in PyTorch and optax.freeze; gradual unfreezing: Howard and Ruder 2018).
 *  What only their gradients need of the backward pass is not computed meanwhile. */
export const freeze = definePlugin({
  name: 'freeze',
  description: 'Holds parameters still, until a step.',
  role: 'hold',
  options: {},
  transform(gradients, { op, wait }) {
    wait(op.scalar(1, 'bool'), gradients);
    return gradients.map(op.zeros);
  },
});
