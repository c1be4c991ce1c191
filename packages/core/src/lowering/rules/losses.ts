import type { Op } from '../../graph/builder.js';
import { tensorOf } from '../../graph/constants.js';
import { int, text, type Value } from '../../graph/value.js';
import { type LoweringContext, lowerings, type Provider } from '../rule.js';
import { type Labels, readLabels } from './labels.js';

/** ORT's kernels, forward and backward, take -1 where the model does not say. */
const defaultIgnored = -1;

interface Weighted extends Labels {
  /** What each label counts: its class weight, or 1; 0 where ignored. */
  readonly weight: Value;
  /** Sum of the weights, 1 if that is 0: what `mean` divides by. */
  readonly total: () => Value;
}

function weigh(
  { op, provider, has, x, constant }: LoweringContext,
  [labels, weights, ignored]: readonly [number, number, number | undefined],
  scores: Value,
  attribute: number,
): Weighted {
  const dynamic = ignored !== undefined && has(ignored) ? x[ignored] : undefined;
  const skipped = dynamic === undefined ? attribute : (constant(dynamic)?.[0] ?? dynamic);
  const read = readLabels(op, provider, x[labels] as Value, scores.shape[1] ?? 0, skipped);
  const weight = has(weights)
    ? op.Where(read.valid, op.Gather(x[weights], read.index), 0)
    : op.cast(read.valid, scores.type);
  const total = () => {
    const sum = op.sum(weight);
    return op.Where(op.Equal(sum, 0), 1, sum);
  };
  return { ...read, weight, total };
}

/** log softmax over axis 1. */
export function logProbabilities(op: Op, provider: Provider, scores: Value): Value {
  // The kernel wins on rows; over an inner axis it transposes, and this takes a fifth of the time.
  if (scores.shape.length === 2 && provider !== 'webgpu') return op.LogSoftmax(scores, { axis: 1 });
  const shifted = op.Sub(scores, op.ReduceMax(scores, op.ints([1]), { keepdims: 1 }));
  return op.Sub(shifted, op.Log(op.sum(op.Exp(shifted), [1], true)));
}

/** −log p[label] of every sample, weighted and reduced. */
function pickLoss(context: LoweringContext, logProbability: Value, labels: Weighted): Value {
  const { op, attributes } = context;
  const column = op.Unsqueeze(labels.index, op.ints([1]));
  const picked = op.GatherElements(logProbability, column, { axis: 1 });
  const negated = op.Neg(op.reshape(picked, labels.index.shape));
  const loss = op.Mul(op.Where(labels.valid, negated, 0), labels.weight);
  const reduction = text(attributes, 'reduction', 'mean');
  if (reduction === 'none') return loss;
  return reduction === 'sum' ? op.sum(loss) : op.Div(op.sum(loss), labels.total());
}

function crossEntropy(context: LoweringContext, ignoredInput?: number): readonly Value[] {
  const { op, provider, x, y, attributes } = context;
  const ignored = int(attributes, 'ignore_index', defaultIgnored);
  const labels = weigh(context, [1, 2, ignoredInput], x[0], ignored);
  const logProbability = logProbabilities(op, provider, x[0]);
  const loss = pickLoss(context, logProbability, labels);
  return [loss, logProbability].map((value, i) => op.cast(value, y[i]?.type ?? value.type));
}

/** (p − onehot)·scale, by the cheaper of two ways. */
export function minusOneHot(
  op: Op,
  provider: Provider,
  p: Value,
  index: Value,
  scale: Value,
): Value {
  const column = op.Unsqueeze(index, op.ints([1]));
  // Rows on cpu: one write per sample takes 0.6 of the time of comparing with every class; with more axes
  // the comparison is faster, and on a GPU it needs no atomics.
  if (p.shape.length === 2 && provider !== 'webgpu') {
    const minusOne = op.filled({ type: p.type, shape: column.shape }, -1);
    const difference = op.ScatterElements(p, column, minusOne, { axis: 1, reduction: 'add' });
    return op.Mul(difference, scale);
  }
  const classes = Array.from({ length: p.shape[1] ?? 0 }, (_, i) => i);
  const inner = p.shape.slice(2).map(() => 1);
  const range = op.constant(tensorOf('int32', classes, [classes.length, ...inner]));
  const oneHot = op.cast(op.Equal(op.cast(column, 'int32'), range), p.type);
  return op.Mul(op.Sub(p, oneHot), scale);
}

function crossEntropyGrad(context: LoweringContext, ignoredInput?: number): Value {
  const { op, provider, x, attributes } = context;
  const [dy, logProbability] = x;
  const ignored = int(attributes, 'ignore_index', defaultIgnored);
  const labels = weigh(context, [2, 3, ignoredInput], logProbability, ignored);
  const mean = text(attributes, 'reduction', 'mean') === 'mean';
  const seed = op.cast(dy, logProbability.type);
  const scale = op.Mul(labels.weight, mean ? op.Div(seed, labels.total()) : seed);
  const column = op.Unsqueeze(op.reshape(scale, labels.index.shape), op.ints([1]));
  return minusOneHot(op, provider, op.Exp(logProbability), labels.index, column);
}

function negativeLogLikelihood(context: LoweringContext, ignoredInput?: number): Value {
  const ignored = int(context.attributes, 'ignore_index', defaultIgnored);
  const scores = context.x[0];
  return pickLoss(context, scores, weigh(context, [1, 2, ignoredInput], scores, ignored));
}

export const losses = lowerings({
  SoftmaxCrossEntropyLoss: (context) => crossEntropy(context),
  SoftmaxCrossEntropyLossInternal: (context) => crossEntropy(context, 3),
  NegativeLogLikelihoodLoss: (context) =>
    context.provider === 'webgpu' ? negativeLogLikelihood(context) : undefined,
  NegativeLogLikelihoodLossInternal: (context) => negativeLogLikelihood(context, 3),
  NegativeLogLikelihoodLossInternal2: (context) => negativeLogLikelihood(context, 3),
  SoftmaxCrossEntropyLossGrad: (context) => crossEntropyGrad(context),
  SoftmaxCrossEntropyLossInternalGrad: (context) => {
    const { op, has, x, y } = context;
    const gradient = op.cast(crossEntropyGrad(context, 4), y[0].type);
    return has(5) ? op.Add(gradient, op.reshape(x[5], gradient.shape)) : gradient;
  },
});
