import { defineOptimizer, type Optimizer } from '../optimizers/optimizer.js';

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

/** The name of the state that holds the last gradient of a parameter. */
export function seenKey(parameter: string): string {
  return `optimizer/seen/${parameter}`;
}
