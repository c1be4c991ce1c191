import { boolean, constant, positive } from '../options/options.js';
import { defineLoss } from './loss.js';
import { reduce, reduction } from './reduction.js';
import { predictionAndTarget } from './target.js';

const name = 'hinge';

/** max(0, margin - t·x) of scores x and targets t of -1 or 1, or its square (Cortes and Vapnik 1995). */
export const hinge = defineLoss({
  name,
  description: 'margin loss of scores and targets of -1 or 1',
  options: {
    margin: constant(positive, 1, 'distance from which on a score is right'),
    squared: constant(boolean, false, 'takes the square of each loss'),
    reduction,
  },
  build(context, { margin, squared, reduction }) {
    const { op } = context;
    const [scores, target] = predictionAndTarget(name, context);
    const losses = op.Relu(op.Sub(margin, op.Mul(target, scores)));
    return reduce(op, squared ? op.Mul(losses, losses) : losses, reduction);
  },
});
