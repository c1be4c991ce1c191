import { GradwareError } from '../errors.js';
import type { Attributes, Value } from '../graph/value.js';
import { constant, fraction, integer } from '../options/options.js';
import { defineLoss, type LossContext, onlyPrediction } from './loss.js';
import { reduction } from './reduction.js';

const name = 'cross-entropy';
const whole = integer(Number.MIN_SAFE_INTEGER);

/** -log softmax(scores)[label], averaged over the labels that count.
 *  Scores [N, C, d1, ...], labels int64 [N, d1, ...] under the name `labels`. With label smoothing ε the target is
 *  1 - ε at the label and ε / C everywhere (Szegedy et al. 2016; as torch.nn.CrossEntropyLoss). */
export const crossEntropy = defineLoss({
  name,
  description: 'softmax cross entropy of class scores and integer labels',
  options: {
    labelSmoothing: constant(fraction, 0, 'share of the target that is spread over all classes'),
    ignoreIndex: constant(whole, undefined, 'label that does not count'),
    reduction,
  },
  build(context, { labelSmoothing, ignoreIndex, reduction }) {
    const scores = onlyPrediction(name, context.predictions);
    const labels = labelsOf(context, scores);
    const attributes: Attributes = { reduction, ignore_index: ignoreIndex };
    const { op } = context;
    const [loss, logProb] = op.SoftmaxCrossEntropyLoss(scores, labels, attributes) as [
      Value,
      Value,
    ];
    if (labelSmoothing === 0) return loss;
    const smooth = smoothPart(context, logProb, labels, ignoreIndex, reduction);
    return op.Add(op.Mul(loss, 1 - labelSmoothing), op.Mul(smooth, labelSmoothing));
  },
});

function labelsOf({ target }: LossContext, scores: Value): Value {
  const [batch, classes, ...rest] = scores.shape;
  if (batch === undefined || classes === undefined)
    throw new GradwareError('INVALID_MODEL', `Cross entropy needs scores [N, classes, ...]`, {
      where: `prediction ${scores.name} of shape [${scores.shape}]`,
      remedy: 'Use a loss for plain numbers (mse), or choose another output with lossInputNames.',
    });
  const wanted = [batch, ...rest];
  const labels = target('labels', 'int64', wanted);
  if (labels.shape.join() !== wanted.join() || !/^int(32|64)$/.test(labels.type))
    throw new GradwareError(
      'INVALID_MODEL',
      `Cross entropy needs labels int64[${wanted}], not ${labels.type}[${labels.shape}]`,
      { where: `input ${labels.name}` },
    );
  return labels;
}

/** The cross entropy against the uniform distribution, over the labels that count. */
function smoothPart(
  { op }: LossContext,
  logProb: Value,
  labels: Value,
  ignoreIndex: number | undefined,
  reduction: 'mean' | 'sum',
): Value {
  const losses = op.Neg(op.mean(logProb, [1]));
  if (ignoreIndex === undefined) return reduction === 'sum' ? op.sum(losses) : op.mean(losses);
  const counts = op.cast(op.Not(op.Equal(labels, ignoreIndex)), losses.type);
  const total = op.sum(op.Mul(losses, counts));
  return reduction === 'sum' ? total : op.Div(total, op.sum(counts));
}
