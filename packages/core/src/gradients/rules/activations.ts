import type { Op } from '../../graph/builder.js';
import { float, text, type Value } from '../../graph/value.js';
import { type GradientContext, rules } from '../rule.js';

/** `slope` where x is positive, `otherwise` elsewhere. */
function byPositive(op: Op, x: Value, slope: Value, otherwise: Value): Value {
  return op.Where(op.Greater(x, 0), slope, otherwise);
}

function leakyRelu({ dy, x: [x], y, attributes, op }: GradientContext): readonly Value[] {
  const alpha = float(attributes, 'alpha', 0.01);
  // ORT's kernel looks at the sign of y, which a negative slope would turn around.
  return [
    alpha >= 0 ? op.LeakyReluGrad(dy, y, { alpha }) : byPositive(op, x, dy, op.Mul(dy, alpha)),
  ];
}

function prelu({ dy, x: [x, slope], op }: GradientContext): readonly Value[] {
  const negative = op.Where(op.Greater(x, 0), 0, op.Mul(dy, x));
  return [byPositive(op, x, dy, op.Mul(dy, slope)), op.sumTo(slope, negative)];
}

function gelu({ dy, x: [x], attributes, op }: GradientContext): readonly Value[] {
  const tanh = text(attributes, 'approximate', 'none') === 'tanh';
  return [tanh ? op.FastGeluGrad(dy, x) : op.GeluGrad(dy, x)];
}

/** x·clamp(αx + β, 0, 1) with ONNX's α = 1/6 and β = 1/2. */
function hardSwish({ dy, x: [x], op }: GradientContext): readonly Value[] {
  const middle = op.Mul(dy, op.Add(op.Mul(x, 1 / 3), 0.5));
  const upper = op.Where(op.Greater(x, 3), dy, middle);
  return [op.Where(op.Less(x, -3), 0, upper)];
}

function hardSigmoid({ dy, y, attributes, op }: GradientContext): readonly Value[] {
  const inside = op.And(op.Greater(y, 0), op.Less(y, 1));
  return [op.Where(inside, op.Mul(dy, float(attributes, 'alpha', 0.2)), 0)];
}

/** x·tanh(softplus(x)). */
function mish({ dy, x: [x], op }: GradientContext): readonly Value[] {
  const t = op.Tanh(op.Softplus(x));
  const slope = op.Mul(op.Mul(x, op.Sigmoid(x)), op.Sub(1, op.Mul(t, t)));
  return [op.Mul(dy, op.Add(t, slope))];
}

function shrink({ dy, x: [x], attributes, op }: GradientContext): readonly Value[] {
  return [op.Where(op.Greater(op.Abs(x), float(attributes, 'lambd', 0.5)), dy, 0)];
}

function withBias(
  grad: 'BiasGeluGrad_dX' | 'BiasFastGeluGrad_dX',
  { dy, x: [x, bias], op }: GradientContext,
): readonly Value[] {
  const dx = op[grad](dy, x, bias);
  return [dx, op.sumTo(bias, dx)];
}

export const activations = rules({
  Relu: ({ dy, y, op }) => [op.ReluGrad(dy, y)],
  LeakyRelu: leakyRelu,
  PRelu: prelu,
  ThresholdedRelu: ({ dy, x: [x], attributes, op }) => [
    op.Where(op.Greater(x, float(attributes, 'alpha', 1)), dy, 0),
  ],
  Sigmoid: ({ dy, y, op }) => [op.SigmoidGrad(dy, y)],
  Tanh: ({ dy, y, op }) => [op.TanhGrad(dy, y)],
  Gelu: gelu,
  FastGelu: (context) =>
    context.has(1)
      ? withBias('BiasFastGeluGrad_dX', context)
      : [context.op.FastGeluGrad(context.dy, context.x[0])],
  BiasGelu: (context) => withBias('BiasGeluGrad_dX', context),
  QuickGelu: ({ dy, x: [x], attributes, op }) => [
    op.QuickGeluGrad(dy, x, { alpha: float(attributes, 'alpha', 1.702) }),
  ],
  Elu: ({ dy, x: [x], y, attributes, op }) => [
    byPositive(op, x, dy, op.Mul(dy, op.Add(y, float(attributes, 'alpha', 1)))),
  ],
  Selu: ({ dy, x: [x], y, attributes, op }) => {
    const alpha = float(attributes, 'alpha', 1.6732632423543772);
    const gamma = float(attributes, 'gamma', 1.0507009873554805);
    return [byPositive(op, x, op.Mul(dy, gamma), op.Mul(dy, op.Add(y, alpha * gamma)))];
  },
  Celu: ({ dy, x: [x], y, attributes, op }) => {
    const slope = op.Add(op.Mul(y, 1 / float(attributes, 'alpha', 1)), 1);
    return [byPositive(op, x, dy, op.Mul(dy, slope))];
  },
  Softplus: ({ dy, x: [x], op }) => [op.Mul(dy, op.Sigmoid(x))],
  Softsign: ({ dy, x: [x], op }) => {
    const size = op.Add(op.Abs(x), 1);
    return [op.Div(dy, op.Mul(size, size))];
  },
  HardSigmoid: hardSigmoid,
  HardSwish: hardSwish,
  Mish: mish,
  Shrink: shrink,
});
