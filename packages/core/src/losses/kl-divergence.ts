import { boolean, constant, oneOf } from '../options/options.js';
import { defineLoss } from './loss.js';
import { reduce } from './reduction.js';
import { predictionAndTarget } from './target.js';

const name = 'kl-divergence';

/** Σ t·(log t - x) of log-probabilities x and probabilities t, 0 where t is (as torch.nn.KLDivLoss). By default the
 *  sum is divided by the batch size, which gives the divergence; PyTorch's default is the mean over all elements. */
export const klDivergence = defineLoss({
  name,
  description: 'Kullback-Leibler divergence of log-probabilities from target probabilities',
  options: {
    logTarget: constant(boolean, false, 'the targets are log-probabilities too'),
    reduction: constant(
      oneOf('batchmean', 'mean', 'sum'),
      'batchmean',
      'how the losses of the elements become one number',
    ),
  },
  build(context, { logTarget, reduction }) {
    const { op } = context;
    const [logs, target] = predictionAndTarget(name, context);
    const surprise = logTarget ? target : op.Log(op.Where(op.Greater(target, 0), target, 1));
    const chance = logTarget ? op.Exp(target) : target;
    const losses = op.Mul(chance, op.Sub(surprise, logs));
    if (reduction !== 'batchmean') return reduce(op, losses, reduction);
    // The mean over the batch of what each example sums to.
    const rest = losses.shape.map((_, axis) => axis).slice(1);
    return op.mean(op.sum(losses, rest));
  },
});
