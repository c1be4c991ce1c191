import { constant, positive } from '../options/options.js';
import { defineLoss } from './loss.js';
import { reduce, reduction } from './reduction.js';
import { predictionAndTarget } from './target.js';

const name = 'huber';

/** ½d² where |d| ≤ δ, δ(|d| - ½δ) beyond, with d = prediction - target (Huber 1964; as torch.nn.HuberLoss). */
export const huber = defineLoss({
  name,
  description: 'squared error near the target, absolute error far from it',
  options: { delta: constant(positive, 1, 'where the square ends'), reduction },
  build(context, { delta, reduction }) {
    const { op } = context;
    const [prediction, target] = predictionAndTarget(name, context);
    const distance = op.Abs(op.Sub(prediction, target));
    const near = op.Min(distance, delta);
    return reduce(op, op.Mul(near, op.Sub(distance, op.Mul(near, 0.5))), reduction);
  },
});
