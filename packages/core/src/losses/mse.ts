import { defineLoss } from './loss.js';
import { reduce, reduction } from './reduction.js';
import { predictionAndTarget } from './target.js';

const name = 'mse';

/** (prediction - target)², averaged over all elements (as torch.nn.MSELoss). */
export const mse = defineLoss({
  name,
  description: 'mean squared error',
  options: { reduction },
  build(context, { reduction }) {
    const { op } = context;
    const [prediction, target] = predictionAndTarget(name, context);
    return reduce(op, op.Pow(op.Sub(prediction, target), 2), reduction);
  },
});
