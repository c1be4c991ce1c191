import type { Op } from '../../graph/builder.js';
import { elementCount, text, type Value } from '../../graph/value.js';
import { type LoweringContext, lowerings } from '../rule.js';
import { lookUpInt32 } from './labels.js';
import { logProbabilities, minusOneHot } from './losses.js';

/** Everything but the classes, which are the last axis, as rows. */
function rows(op: Op, scores: Value): Value {
  const classes = scores.shape.at(-1) ?? 1;
  return op.reshape(scores, [elementCount(scores.shape.slice(0, -1)), classes]);
}

function isMean({ attributes }: LoweringContext): boolean {
  return text(attributes, 'reduction', 'mean') === 'mean';
}

/** Labels [rows] to index the classes with. */
function indexOf({ op, provider }: LoweringContext, labels: Value, classes: number): Value {
  const flat = op.reshape(labels, [elementCount(labels.shape)]);
  // Looked up first: webgpu cannot reshape int64 either.
  if (provider !== 'webgpu' || labels.type !== 'int64') return flat;
  return op.reshape(lookUpInt32(op, labels, classes), flat.shape);
}

/** (scores, labels, weight of each sample?) → (loss, log probabilities). */
function sparse(context: LoweringContext): readonly Value[] {
  const { op, provider, x, has } = context;
  const scores = rows(op, x[0]);
  const [count = 1, classes = 1] = scores.shape;
  const logProbability = logProbabilities(op, provider, scores);
  const column = op.reshape(indexOf(context, x[1], classes), [count, 1]);
  const picked = op.reshape(op.GatherElements(logProbability, column, { axis: 1 }), [count]);
  const weights = has(2) ? op.reshape(x[2], [count]) : undefined;
  const total = op.Neg(op.sum(weights ? op.Mul(picked, weights) : picked));
  const divisor = weights ? op.sum(weights) : count;
  const loss = isMean(context) ? op.Div(total, divisor) : total;
  return [loss, op.reshape(logProbability, x[0].shape)];
}

/** (dY, log probabilities, labels, weight of each sample?) → d scores. */
function sparseGrad(context: LoweringContext): Value {
  const { op, provider, x, has } = context;
  const logProbability = rows(op, x[1]);
  const [count = 1, classes = 1] = logProbability.shape;
  const weights = has(3) ? op.reshape(x[3], [count, 1]) : undefined;
  const seed = op.reshape(x[0], [1, 1]);
  const scaled = isMean(context) ? op.Div(seed, weights ? op.sum(weights) : count) : seed;
  const scale = weights ? op.Mul(weights, scaled) : scaled;
  const index = indexOf(context, x[2], classes);
  const gradient = minusOneHot(op, provider, op.Exp(logProbability), index, scale);
  return op.reshape(gradient, x[1].shape);
}

/** The losses of ORT's first training product: classes along the last axis, every other axis one of samples. */
export const rowLosses = lowerings({
  // Labels as probabilities of each class.
  SoftmaxCrossEntropy: (context) => {
    const { op, provider, x } = context;
    const scores = rows(op, x[0]);
    const logProbability = op.reshape(logProbabilities(op, provider, scores), x[0].shape);
    const total = op.Neg(op.sum(op.Mul(logProbability, x[1])));
    return [isMean(context) ? op.Div(total, scores.shape[0] ?? 1) : total, logProbability];
  },
  SoftmaxCrossEntropyGrad: (context) => {
    const { op, x } = context;
    const difference = op.Sub(op.Exp(x[1]), x[2]);
    const count = elementCount(x[1].shape.slice(0, -1));
    return op.Mul(difference, op.Div(op.reshape(x[0], []), isMean(context) ? count : 1));
  },
  SparseSoftmaxCrossEntropy: sparse,
  SparseSoftmaxCrossEntropyGrad: sparseGrad,
});
