import type { Op } from '../../graph/builder.js';
import { float, type Value } from '../../graph/value.js';
import { type LoweringContext, lowerings } from '../rule.js';

/** dGelu/dx = Φ(x) + x·φ(x), with Φ and φ of the standard normal distribution. */
function geluSlope(op: Op, x: Value): Value {
  const cumulative = op.Mul(op.Add(op.Erf(op.Mul(x, Math.SQRT1_2)), 1), 0.5);
  const density = op.Mul(op.Exp(op.Mul(op.Mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return op.Add(cumulative, op.Mul(x, density));
}

/** Slope of the tanh approximation 0.5·x·(1 + tanh(a(x + g·x³))). */
function fastGeluSlope(op: Op, x: Value): Value {
  const [a, g] = [Math.sqrt(2 / Math.PI), 0.044715];
  const square = op.Mul(x, x);
  const t = op.Tanh(op.Mul(x, op.Add(op.Mul(square, a * g), a)));
  const inner = op.Mul(x, op.Add(op.Mul(square, 3 * a * g), a));
  const bend = op.Mul(op.Sub(1, op.Mul(t, t)), inner);
  return op.Mul(op.Add(op.Add(t, 1), bend), 0.5);
}

function quickGeluSlope(op: Op, x: Value, alpha: number): Value {
  const scaled = op.Mul(x, alpha);
  const s = op.Sigmoid(scaled);
  return op.Mul(s, op.Add(op.Mul(scaled, op.Sub(1, s)), 1));
}

/** Behind Relu and MaxPool: what the pooling picked is above 0 where the pooled value is, so the gradient can be
 *  masked before it is spread, on a fraction of the elements. */
function beforePooling({ x: [dy, y], op, producer }: LoweringContext): Value | undefined {
  const spread = producer(dy);
  if (spread?.opType !== 'MaxPoolGrad') return undefined;
  const [gradient, indices] = spread.x;
  const pool = producer(indices);
  if (pool?.opType !== 'MaxPool' || pool.x[0].name !== y.name) return undefined;
  return op.MaxPoolGrad(op.ReluGrad(gradient, pool.y[0]), indices);
}

export const activations = lowerings({
  // A product with the mask: two thirds of the time of Where on cpu. NaN and infinity stay visible even where
  // the unit is off (∞·0 = NaN), while ORT's kernel would give 0 there.
  ReluGrad: (context) => {
    const { x, op } = context;
    const [dy, y] = x;
    return beforePooling(context) ?? op.Mul(dy, op.cast(op.Greater(y, 0), dy.type));
  },
  // From the output, as ORT: right for alpha >= 0 only.
  LeakyReluGrad: ({ x: [dy, y], attributes, op }) =>
    op.Where(op.Greater(y, 0), dy, op.Mul(dy, float(attributes, 'alpha', 0.01))),
  SigmoidGrad: ({ x: [dy, y], op }) => op.Mul(dy, op.Mul(y, op.Sub(1, y))),
  TanhGrad: ({ x: [dy, y], op }) => op.Mul(dy, op.Sub(1, op.Mul(y, y))),
  GeluGrad: ({ x: [dy, x], op }) => op.Mul(dy, geluSlope(op, x)),
  FastGeluGrad: ({ x: [dy, x], op }) => op.Mul(dy, fastGeluSlope(op, x)),
  QuickGeluGrad: ({ x: [dy, x], attributes, op }) =>
    op.Mul(dy, quickGeluSlope(op, x, float(attributes, 'alpha', 1.702))),
  BiasGeluGrad_dX: ({ x: [dy, x, bias], op }) => op.Mul(dy, geluSlope(op, op.Add(x, bias))),
  BiasFastGeluGrad_dX: ({ x: [dy, x, bias], op }) => op.Mul(dy, fastGeluSlope(op, op.Add(x, bias))),
});
