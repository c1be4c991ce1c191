import type { Op } from '../graph/op.js';
import type { Attributes, Value } from '../graph/value.js';
import { constant, type Kind } from '../options/options.js';
import { type ClassScores, classOptions, classScores, shareOf } from './class-scores.js';
import { defineLoss } from './loss.js';
import { reduce, reduction } from './reduction.js';

const name = 'cross-entropy';

const share: Kind<number> = {
  describe: 'a number from 0 to 1',
  accepts: (value): value is number => typeof value === 'number' && value >= 0 && value <= 1,
};

/** -w[label] · log softmax(scores)[label], averaged over the labels that count (by their weights).
 *  Scores [N, C, d1, ...], or with the classes at another `axis`; labels int64 of the same shape without that axis,
 *  under the name `labels`. With label smoothing ε the target is 1 - ε at the label and ε / C everywhere (Szegedy et
 *  al. 2016; all of it as torch.nn.CrossEntropyLoss). */
export const crossEntropy = defineLoss({
  name,
  description: 'softmax cross entropy of class scores and integer labels',
  options: {
    labelSmoothing: constant(share, 0, 'share of the target that is spread over all classes'),
    ...classOptions,
    reduction,
  },
  build(context, { labelSmoothing, ignoreIndex, reduction, ...rest }) {
    const given = classScores(name, context, rest);
    const { scores, labels, weights } = given;
    const attributes: Attributes = { reduction, ignore_index: ignoreIndex };
    const { op } = context;
    const inputs = weights === undefined ? [scores, labels] : [scores, labels, weights];
    const [made, logProb] = op.SoftmaxCrossEntropyLoss(...inputs, attributes) as [Value, Value];
    const counted = reduction === 'mean' ? shareOf(op, given, ignoreIndex) : undefined;
    // ONNX Runtime's kernel gives NaN where no label counts.
    const loss = counted ? op.Where(counted.none, 0, made) : made;
    if (labelSmoothing === 0) return loss;
    const losses = smoothLosses(op, logProb, given, ignoreIndex);
    const smooth = counted
      ? op.Div(op.sum(losses), counted.divisor)
      : reduce(op, losses, reduction);
    return op.Add(op.Mul(loss, 1 - labelSmoothing), op.Mul(smooth, labelSmoothing));
  },
});

/** The cross entropy against the uniform distribution at each place; 0 where the label does not count. */
function smoothLosses(
  op: Op,
  logProb: Value,
  { labels, classes, weights }: ClassScores,
  ignoreIndex: number | undefined,
): Value {
  const spread = logProb.shape.slice(2).map(() => 1);
  const weighted = weights
    ? op.Mul(logProb, op.reshape(weights, [1, classes, ...spread]))
    : logProb;
  const losses = op.Neg(op.mean(weighted, [1]));
  if (ignoreIndex === undefined) return losses;
  return op.Where(op.Equal(labels, ignoreIndex), 0, losses);
}
