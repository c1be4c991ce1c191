import { constant, positive } from '../options/options.js';
import { defineLoss } from './loss.js';
import { reduce, reduction } from './reduction.js';
import { predictionAndTarget } from './target.js';

const name = 'bce-with-logits';

/** Binary cross entropy of logits x and targets t in [0, 1]: p·t·softplus(-x) + (1 - t)·softplus(x), which does
 *  not overflow (as torch.nn.BCEWithLogitsLoss with one pos_weight p). */
export const bceWithLogits = defineLoss({
  name,
  description: 'binary cross entropy of logits and targets between 0 and 1',
  options: {
    posWeight: constant(positive, 1, 'how much more a positive target counts'),
    reduction,
  },
  build(context, { posWeight, reduction }) {
    const { op } = context;
    const [logits, target] = predictionAndTarget(name, context);
    const against = op.Softplus(logits);
    // softplus(-x) = softplus(x) - x
    const towards = op.Sub(against, logits);
    const positives = op.Mul(op.Mul(target, towards), posWeight);
    const losses =
      posWeight === 1
        ? op.Sub(against, op.Mul(target, logits))
        : op.Add(positives, op.Mul(op.Sub(1, target), against));
    return reduce(op, losses, reduction);
  },
});
