import { defineOptimizer, type Optimizer } from '../optimizers/optimizer.js';
import { optimizerPrefix } from '../step/groups.js';

/** Keeps the gradients that reach it as state, and moves against them: w ← w - g. */
const factory = defineOptimizer({
  name: 'recorder',
  defaultLearningRate: 1,
  options: {},
  update: (gradients, { op, state }) =>
    gradients.map((gradient) => {
      state('seen', { like: gradient }).set(gradient);
      return op.Neg(gradient);
    }),
});

export function recorder(): Optimizer {
  return factory();
}

/** The name of the state that holds the last gradient of a parameter of a group. */
export function seenKey(parameter: string, group: string): string {
  return `${optimizerPrefix(group)}seen/${parameter}`;
}
