import { rules } from '../rule.js';

export const dropout = rules({
  // The mask says what the forward pass kept; without training there is none, and nothing was dropped.
  Dropout: ({ dy, x: [, ratio, training], ys: [, mask], has, constant, op }) =>
    !has(2) || constant(2)?.[0] === 0
      ? [dy]
      : [op.DropoutGrad(dy, mask, has(1) ? ratio : null, training)],
});
