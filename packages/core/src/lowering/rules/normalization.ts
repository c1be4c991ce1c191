import type { Op } from '../../graph/builder.js';
import { float, int, normalizeAxis, type Value } from '../../graph/value.js';
import { type LoweringContext, lowerings } from '../rule.js';

/** The axes that a layer norm works on: all from `axis`. */
function normalizedAxes({ attributes, x: [dy] }: LoweringContext): readonly number[] {
  const axes = dy.shape.map((_, axis) => axis);
  return axes.slice(normalizeAxis(int(attributes, 'axis', -1), axes.length));
}

/** dX of a norm from x̂ and b = dY·scale·invStd: b − mean(b) − x̂·mean(b·x̂); an RMS norm has no first mean. */
function normGrad(
  op: Op,
  [b, normalized]: readonly [Value, Value],
  axes: readonly number[],
  centred: boolean,
): Value {
  const along = op.Mul(normalized, op.mean(op.Mul(b, normalized), axes, true));
  return op.Sub(centred ? op.Sub(b, op.mean(b, axes, true)) : b, along);
}

interface LayerNorm {
  readonly normalized: Value;
  readonly scale: Value;
  readonly invStd: Value;
  readonly centred: boolean;
}

function layerNormGrad(context: LoweringContext, norm: LayerNorm): readonly (Value | undefined)[] {
  const { op, x, needed } = context;
  const [dy, { normalized, scale, invStd, centred }] = [x[0], norm];
  const b = op.Mul(op.Mul(dy, scale), invStd);
  return [
    needed(0) ? normGrad(op, [b, normalized], normalizedAxes(context), centred) : undefined,
    needed(1) ? op.sumTo(scale, op.Mul(dy, normalized)) : undefined,
    needed(2) ? op.sumTo(scale, dy) : undefined,
  ];
}

/** A per-channel value shaped to broadcast over [N, C, ...]. */
function perChannel(op: Op, value: Value, rank: number): Value {
  const inner = Array.from({ length: Math.max(0, rank - 2) }, () => 1);
  return op.reshape(value, [...value.shape, ...inner]);
}

function allButChannels(value: Value): readonly number[] {
  return value.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
}

interface BatchStatistics {
  readonly y: Value;
  readonly runningMean: Value;
  readonly runningVariance: Value;
  readonly mean: Value;
  readonly invStd: Value;
}

/** Batch norm in training. The variance is biased, also in the running average, as in ORT. */
function batchNorm({ op, x, attributes }: LoweringContext): BatchStatistics {
  const [data, scale, bias, oldMean, oldVariance] = x;
  const [axes, rank] = [allButChannels(data), data.shape.length];
  const momentum = float(attributes, 'momentum', 0.9);
  const blend = (old: Value, now: Value) =>
    op.Add(op.Mul(old, momentum), op.Mul(op.cast(now, old.type), 1 - momentum));
  const mean = op.mean(data, axes);
  const centred = op.Sub(data, perChannel(op, mean, rank));
  const variance = op.mean(op.Mul(centred, centred), axes);
  const invStd = op.Reciprocal(op.Sqrt(op.Add(variance, float(attributes, 'epsilon', 1e-5))));
  const factor = op.Mul(op.cast(scale, data.type), invStd);
  const scaled = op.Mul(centred, perChannel(op, factor, rank));
  return {
    y: op.Add(scaled, perChannel(op, op.cast(bias, data.type), rank)),
    runningMean: blend(oldMean, mean),
    runningVariance: blend(oldVariance, variance),
    mean,
    invStd,
  };
}

export const normalization = lowerings({
  LayerNormalizationGrad: (context) => {
    const { op, x } = context;
    const normalized = op.Mul(op.Sub(x[1], x[3]), x[4]);
    return layerNormGrad(context, { normalized, scale: x[2], invStd: x[4], centred: true });
  },
  SimplifiedLayerNormalizationGrad: (context) => {
    const { op, x } = context;
    const normalized = op.Mul(x[1], x[3]);
    return layerNormGrad(context, { normalized, scale: x[2], invStd: x[3], centred: false });
  },
  InvertibleLayerNormalizationGrad: (context) => {
    const { op, x } = context;
    const normalized = op.Div(op.Sub(x[1], x[3]), x[2]);
    return layerNormGrad(context, { normalized, scale: x[2], invStd: x[4], centred: true });
  },
  BatchNormInternal: (context) => {
    const { y, runningMean, runningVariance, mean, invStd } = batchNorm(context);
    return [y, runningMean, runningVariance, mean, invStd];
  },
  BatchNormalization: (context) => {
    if (int(context.attributes, 'training_mode', 0) !== 1 || context.provider !== 'webgpu')
      return undefined;
    const { y, runningMean, runningVariance } = batchNorm(context);
    return [y, runningMean, runningVariance];
  },
  // The inputs that the schema calls mean and variance are the mean and the inverse standard deviation.
  BatchNormalizationGrad: ({ op, x, needed }) => {
    const [dy, data, scale, mean, invStd] = x;
    const [axes, rank] = [allButChannels(data), data.shape.length];
    const spreadOut = (value: Value) => perChannel(op, value, rank);
    const normalized = op.Mul(op.Sub(data, spreadOut(mean)), spreadOut(invStd));
    const dscale = op.sum(op.Mul(dy, normalized), axes);
    const dbias = op.sum(dy, axes);
    if (!needed(0)) return [undefined, dscale, dbias];
    const count = axes.reduce((product, axis) => product * (data.shape[axis] ?? 1), 1);
    const [slope, shift] = [op.Div(dscale, count), op.Div(dbias, count)];
    const inner = op.Sub(op.Sub(dy, spreadOut(shift)), op.Mul(normalized, spreadOut(slope)));
    return [op.Mul(inner, spreadOut(op.Mul(scale, invStd))), dscale, dbias];
  },
});
