import type { Attributes, Value } from '../graph/value.js';
import { constant, fraction } from '../options/options.js';
import { type ClassScores, classOptions, classScores } from './class-scores.js';
import { defineLoss, type LossContext } from './loss.js';
import { reduction } from './reduction.js';

const name = 'cross-entropy';

/** -w[label] · log softmax(scores)[label], averaged over the labels that count (by their weights).
 *  Scores [N, C, d1, ...], or with the classes at another `axis`; labels int64 of the same shape without that axis,
 *  under the name `labels`. With label smoothing ε the target is 1 - ε at the label and ε / C everywhere (Szegedy et
 *  al. 2016; all of it as torch.nn.CrossEntropyLoss). */
export const crossEntropy = defineLoss({
  name,
  description: 'softmax cross entropy of class scores and integer labels',
  options: {
    labelSmoothing: constant(fraction, 0, 'share of the target that is spread over all classes'),
    ...classOptions,
    reduction,
  },
  build(context, { labelSmoothing, ignoreIndex, reduction, ...rest }) {
    const given = classScores(name, context, rest);
    const { scores, labels, weights } = given;
    const attributes: Attributes = { reduction, ignore_index: ignoreIndex };
    const { op } = context;
    const inputs = weights === undefined ? [scores, labels] : [scores, labels, weights];
    const [loss, logProb] = op.SoftmaxCrossEntropyLoss(...inputs, attributes) as [Value, Value];
    if (labelSmoothing === 0) return loss;
    const smooth = smoothPart(context, logProb, given, ignoreIndex, reduction);
    return op.Add(op.Mul(loss, 1 - labelSmoothing), op.Mul(smooth, labelSmoothing));
  },
});

/** The cross entropy against the uniform distribution, over the labels that count. */
function smoothPart(
  { op }: LossContext,
  logProb: Value,
  { labels, classes, weights }: ClassScores,
  ignoreIndex: number | undefined,
  reduction: 'mean' | 'sum',
): Value {
  const spread = logProb.shape.slice(2).map(() => 1);
  const weighted =
    weights === undefined
      ? op.mean(logProb, [1])
      : op.mean(op.Mul(logProb, op.reshape(weights, [1, classes, ...spread])), [1]);
  const losses = op.Neg(weighted);
  if (ignoreIndex === undefined && weights === undefined)
    return reduction === 'sum' ? op.sum(losses) : op.mean(losses);
  const counts =
    ignoreIndex === undefined
      ? undefined
      : op.cast(op.Not(op.Equal(labels, ignoreIndex)), losses.type);
  const total = op.sum(counts === undefined ? losses : op.Mul(losses, counts));
  if (reduction === 'sum') return total;
  return op.Div(total, op.sum(shares(op, labels, weights, counts)));
}

/** How much each label counts. */
function shares(
  op: LossContext['op'],
  labels: Value,
  weights: Value | undefined,
  counts: Value | undefined,
): Value {
  if (weights === undefined) return counts as Value;
  if (counts === undefined) return op.Gather(weights, labels, { axis: 0 });
  // What does not count may be no class at all.
  const safe = op.Mul(labels, op.cast(counts, labels.type));
  return op.Mul(op.Gather(weights, safe, { axis: 0 }), counts);
}
