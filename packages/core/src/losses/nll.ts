import { classOptions, classScores } from './class-scores.js';
import { defineLoss } from './loss.js';
import { reduction } from './reduction.js';

const name = 'nll';

/** -w[label] · x[label] of log-probabilities x, averaged over the labels that count by their weights (as
 *  torch.nn.NLLLoss). Shapes as for the cross entropy. */
export const nll = defineLoss({
  name,
  description: 'negative log likelihood of log-probabilities and integer labels',
  options: { ...classOptions, reduction },
  build(context, { ignoreIndex, reduction, ...rest }) {
    const { op } = context;
    const { scores, labels, weights } = classScores(name, context, rest);
    const inputs = weights === undefined ? [scores, labels] : [scores, labels, weights];
    return op.NegativeLogLikelihoodLoss(...inputs, { reduction, ignore_index: ignoreIndex });
  },
});
