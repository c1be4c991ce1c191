import { classOptions, classScores, shareOf } from './class-scores.js';
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
    const given = classScores(name, context, rest);
    const { scores, labels, weights } = given;
    const inputs = weights === undefined ? [scores, labels] : [scores, labels, weights];
    const reduced = (how: typeof reduction) =>
      op.NegativeLogLikelihoodLoss(...inputs, { reduction: how, ignore_index: ignoreIndex });
    const share = reduction === 'mean' ? shareOf(op, given, ignoreIndex) : undefined;
    // The op's own mean is NaN where no label counts.
    return share ? op.Div(reduced('sum'), share.divisor) : reduced(reduction);
  },
});
