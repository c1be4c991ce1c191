import { int, text, type Value } from '../../graph/value.js';
import { type GradientContext, rules } from '../rule.js';

/** The class axis of ONNX's losses. */
const classAxis = 1;

function crossEntropy({ dys, x, ys, has, attributes, emit, op }: GradientContext) {
  const [dLoss, dLogProb] = dys;
  const [, logProb] = ys;
  const reduction = text(attributes, 'reduction', 'mean');
  const plain = {
    reduction: { type: 'string', value: reduction },
    ...(attributes.ignore_index ? { ignore_index: attributes.ignore_index } : {}),
  } as const;
  const inputs = [dLoss, logProb, x[1], has(2) ? x[2] : null];
  const fromLoss = dLoss && emit('SoftmaxCrossEntropyLossGrad', inputs, plain)[0];
  const fromLogProb = dLogProb && op.LogSoftmaxGrad_13(dLogProb, logProb, { axis: classAxis });
  return [fromLoss && fromLogProb ? op.Add(fromLoss, fromLogProb) : (fromLoss ?? fromLogProb)];
}

/** How much the score of each class counts in the loss: the class weight at the label's place, 0 elsewhere. */
function negativeLogLikelihood(context: GradientContext) {
  const { dy, x, has, attributes, op } = context;
  const [scores, labels, weight] = x;
  const classes = scores.shape[classAxis] ?? 0;
  const perClass = [1, classes, ...scores.shape.slice(2).map(() => 1)];
  const range = op.reshape(op.ints(Array.from({ length: classes }, (_, i) => i)), perClass);
  const [first, ...rest] = labels.shape;
  const spread = op.reshape(op.cast(labels, 'int64'), [first ?? 1, 1, ...rest]);
  const ignored = attributes.ignore_index && int(attributes, 'ignore_index', 0);
  const label = op.Equal(spread, range);
  const counted =
    ignored === undefined || ignored < 0 || ignored >= classes
      ? label
      : op.And(label, op.Not(op.Equal(range, ignored)));
  const one = op.cast(counted, scores.type);
  const share = has(2) ? op.Mul(one, op.reshape(weight, perClass)) : one;
  const slope = op.Neg(share);
  const reduction = text(attributes, 'reduction', 'mean');
  if (reduction === 'sum') return [op.Mul(slope, dy)];
  if (reduction === 'mean') return [op.Mul(slope, op.Div(dy, op.sum(share)))];
  return [op.Mul(slope, op.reshape(dy, [first ?? 1, 1, ...rest]))];
}

/** A model that looks for NaN behind a softmax means rows where every score is -∞, and puts something else there. */
function softmax({ dy, y, attributes, op, isUsedBy }: GradientContext): readonly Value[] {
  const settings = { axis: int(attributes, 'axis', -1) };
  if (!isUsedBy('IsNaN')) return [op.SoftmaxGrad_13(dy, y, settings)];
  const empty = op.IsNaN(y);
  const [slope, share] = [op.Where(empty, 0, dy), op.Where(empty, 0, y)];
  return [op.SoftmaxGrad_13(slope, share, settings)];
}

export const classification = rules({
  Softmax: softmax,
  LogSoftmax: ({ dy, y, attributes, op }) => [
    op.LogSoftmaxGrad_13(dy, y, { axis: int(attributes, 'axis', -1) }),
  ],
  SoftmaxCrossEntropyLoss: crossEntropy,
  NegativeLogLikelihoodLoss: negativeLogLikelihood,
});
