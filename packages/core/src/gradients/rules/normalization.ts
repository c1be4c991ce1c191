import type { Op } from '../../graph/builder.js';
import {
  elementCount,
  float,
  int,
  normalizeAxis,
  sameShape,
  type Value,
} from '../../graph/value.js';
import { type GradientContext, rules } from '../rule.js';

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}

/** A value per channel, so that it broadcasts against [N, C, ...]. */
function perChannel(op: Op, value: Value, rank: number): Value {
  return op.reshape(value, [1, elementCount(value.shape), ...range(2, rank).map(() => 1)]);
}

function layerNorm(context: GradientContext): readonly (Value | null | undefined)[] {
  const { dys, x, ys, attributes, has, emit, op } = context;
  const [input, scale, bias] = x;
  const [, mean, deviation] = ys;
  const [dy] = dys;
  const axis = normalizeAxis(int(attributes, 'axis', -1), input.shape.length);
  const fromStatistics = statisticsGradient(context, axis);
  if (dy === undefined) return [fromStatistics];
  const normalized = input.shape.slice(axis);
  // ONNX lets the scale broadcast; the gradient op wants it whole.
  const whole = sameShape(scale.shape, normalized) ? scale : op.Expand(scale, op.ints(normalized));
  const kept = { axis: { type: 'int', value: axis } } as const;
  const inputs = [dy, input, whole, mean, deviation];
  const [dx, dScale, dBias] = emit('LayerNormalizationGrad', inputs, kept);
  return [
    fromStatistics ? op.Add(dx, fromStatistics) : dx,
    dScale && op.sumTo(scale, dScale),
    has(2) && dBias ? op.sumTo(bias, dBias) : null,
  ];
}

/** What comes back from mean and inverse deviation where a model uses them: μ has the slope 1/n, and (σ² + ε)^-½ the
 *  slope -(x - μ)·(σ² + ε)^-3/2 / n. */
function statisticsGradient({ dys, x: [x], ys, op }: GradientContext, axis: number) {
  const [, dMean, dDeviation] = dys;
  const [, mean, deviation] = ys;
  const count = elementCount(x.shape.slice(axis));
  const fromMean = dMean && op.Expand(op.cast(op.Div(dMean, count), x.type), op.ints(x.shape));
  if (dDeviation === undefined) return fromMean;
  const cube = op.Mul(op.Mul(deviation, deviation), deviation);
  const centred = op.Sub(op.cast(x, mean.type), mean);
  const slope = op.cast(op.Mul(centred, op.Div(op.Mul(dDeviation, cube), -count)), x.type);
  return fromMean ? op.Add(fromMean, slope) : slope;
}

function rmsNorm({ dy, x: [x, scale], ys: [, deviation], attributes, emit }: GradientContext) {
  const axis = normalizeAxis(int(attributes, 'axis', -1), x.shape.length);
  return emit('SimplifiedLayerNormalizationGrad', [dy, x, scale, deviation], {
    axis: { type: 'int', value: axis },
  });
}

interface Standardized {
  /** (x - mean) / sqrt(variance + epsilon) over `axes`. */
  readonly value: Value;
  readonly deviation: Value;
  readonly axes: readonly number[];
}

function standardize(op: Op, x: Value, axes: readonly number[], epsilon: number): Standardized {
  const centred = op.Sub(x, op.mean(x, axes, true));
  const variance = op.mean(op.Mul(centred, centred), axes, true);
  const deviation = op.Reciprocal(op.Sqrt(op.Add(variance, epsilon)));
  return { value: op.Mul(centred, deviation), deviation, axes };
}

function standardizedGradient(op: Op, dy: Value, { value, deviation, axes }: Standardized): Value {
  const along = op.Mul(value, op.mean(op.Mul(dy, value), axes, true));
  return op.Mul(deviation, op.Sub(op.Sub(dy, op.mean(dy, axes, true)), along));
}

/** Normalisation of groups of channels: [N, C, ...] as [N, groups, C / groups · ...]. */
function groupNorm(
  { dy, x: [x, scale, bias], attributes, op }: GradientContext,
  groups: number,
): readonly Value[] {
  const [batch = 0, channels = 0, ...spatial] = x.shape;
  const rank = x.shape.length;
  const grouped = [batch, groups, (channels / groups) * elementCount(spatial)];
  const others = [0, ...range(2, rank)];
  const epsilon = float(attributes, 'epsilon', 1e-5);
  const standard = standardize(op, op.reshape(x, grouped), [2], epsilon);
  const scaled = op.reshape(op.Mul(dy, perChannel(op, scale, rank)), grouped);
  const dScale = op.sum(op.Mul(dy, op.reshape(standard.value, x.shape)), others);
  return [
    op.reshape(standardizedGradient(op, scaled, standard), x.shape),
    op.reshape(dScale, scale.shape),
    op.reshape(op.sum(dy, others), bias.shape),
  ];
}

/** With given statistics the op is an affine map per channel; they themselves may have been computed, or train. */
function frozenBatchNorm({ dy, x, attributes, op, needs }: GradientContext) {
  const [input, scale, , mean, variance] = x;
  const rank = input.shape.length;
  const others = [0, ...range(2, rank)];
  const deviation = op.Reciprocal(op.Sqrt(op.Add(variance, float(attributes, 'epsilon', 1e-5))));
  const centred = op.Sub(input, perChannel(op, mean, rank));
  const along = op.Mul(op.sum(op.Mul(dy, centred), others), deviation);
  const total = op.sum(dy, others);
  const slope = op.Mul(scale, deviation);
  return [
    op.Mul(dy, perChannel(op, slope, rank)),
    along,
    total,
    needs(3) ? op.Neg(op.Mul(total, slope)) : null,
    needs(4) ? op.Mul(op.Mul(op.Mul(along, slope), deviation), -0.5) : null,
  ];
}

function batchNorm({ dy, x: [x, scale], ys, attributes, emit }: GradientContext) {
  const [, , , mean, deviation] = ys;
  return emit('BatchNormalizationGrad', [dy, x, scale, mean, deviation], {
    epsilon: { type: 'float', value: float(attributes, 'epsilon', 1e-5) },
  });
}

/** y = x / ‖x‖ₚ along one axis. */
function lpNorm({ dy, x: [x], y, attributes, op }: GradientContext) {
  const axis = normalizeAxis(int(attributes, 'axis', -1), x.shape.length);
  const one = int(attributes, 'p', 2) === 1;
  const axes = op.ints([axis]);
  const norm = one ? op.ReduceL1(x, axes) : op.ReduceL2(x, axes);
  const along = op.Mul(one ? op.Sign(x) : y, op.sum(op.Mul(dy, y), [axis], true));
  return [op.Div(op.Sub(dy, along), norm)];
}

export const normalization = rules({
  LayerNormalization: layerNorm,
  SimplifiedLayerNormalization: rmsNorm,
  BatchNormalization: frozenBatchNorm,
  BatchNormInternal: batchNorm,
  GroupNormalization: (context) => groupNorm(context, int(context.attributes, 'num_groups', 1)),
  InstanceNormalization: (context) => groupNorm(context, context.x[0].shape[1] ?? 1),
  LpNormalization: lpNorm,
});
