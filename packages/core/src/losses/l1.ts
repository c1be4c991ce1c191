import { defineLoss } from './loss.js';
import { reduce, reduction } from './reduction.js';
import { predictionAndTarget } from './target.js';

const name = 'l1';

/** |prediction - target|, averaged over all elements (as torch.nn.L1Loss). */
export const l1 = defineLoss({
  name,
  description: 'mean absolute error',
  options: { reduction },
  build(context, { reduction }) {
    const { op } = context;
    const [prediction, target] = predictionAndTarget(name, context);
    return reduce(op, op.Abs(op.Sub(prediction, target)), reduction);
  },
});
