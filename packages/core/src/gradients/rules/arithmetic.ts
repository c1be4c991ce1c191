import type { Op } from '../../graph/builder.js';
import { int, type Value } from '../../graph/value.js';
import { type GradientContext, rules } from '../rule.js';

const twoOverSqrtPi = 2 / Math.sqrt(Math.PI);

/** Min and Max: equal candidates share the gradient equally. */
function extremum({ dy, x, y, node, op }: GradientContext): readonly Value[] {
  const inputs = x.slice(0, node.inputs.length);
  if (inputs.length === 1) return [dy];
  const chosen = inputs.map((input) => op.cast(op.Equal(input, y), y.type));
  const share = op.Div(dy, op.Sum(...chosen));
  return inputs.map((input, i) => op.sumTo(input, op.Mul(share, chosen[i])));
}

/** ∂(aᵇ)/∂a = b·aᵇ⁻¹, which is 0 for b = 0, also at a = 0. */
function powerRule({ dy, x: [a, b], constant, op }: GradientContext): Value {
  const exponents = constant(1);
  const [only] = exponents ?? [];
  if (exponents?.length === 1 && only === 0) return op.Mul(dy, 0);
  if (exponents?.length === 1 && only === 1) return dy;
  if (exponents?.length === 1 && only === 2) return op.Mul(dy, op.Mul(a, 2));
  const exponent = op.cast(b, a.type);
  const slope = op.Mul(exponent, op.Pow(a, op.Sub(exponent, 1)));
  const finite = exponents?.every((e) => e !== 0) ?? false;
  return op.Mul(dy, finite ? slope : op.Where(op.Equal(exponent, 0), 0, slope));
}

/** ∂(aᵇ)/∂b = aᵇ·ln a, which is 0 at a = 0. */
function exponentRule({ dy, x: [a], y, op }: GradientContext): Value {
  const slope = op.Mul(y, op.Log(a));
  return op.Mul(dy, op.Where(op.Equal(a, 0), 0, slope));
}

/** y = a - b·q, where q is the whole quotient that the op took. */
function remainder({ dy, x: [a, b], y, op }: GradientContext): readonly Value[] {
  return [op.sumTo(a, dy), op.sumTo(b, op.Mul(dy, op.Div(op.Sub(y, a), b)))];
}

/** The gradient is 1 also at the bounds, as in ORT. */
function clip({ dy, x: given, has, op }: GradientContext) {
  const [hasLow, hasHigh] = [has(1), has(2)];
  // Comparisons have no kernels for numbers of 8 bits.
  const isByte = /^u?int8$/.test(given[0].type);
  const plain = (value: Value) => (isByte ? op.cast(value, 'int32') : value);
  const x = plain(given[0]);
  const low = hasLow ? plain(given[1]) : given[1];
  const high = hasHigh ? plain(given[2]) : given[2];
  const above = hasLow ? op.GreaterOrEqual(x, low) : undefined;
  const below = hasHigh ? op.LessOrEqual(x, high) : undefined;
  const inside = above && below ? op.And(above, below) : (above ?? below);
  const outside = (bound: Value, beyond: Value) =>
    op.reshape(op.sum(op.Where(beyond, dy, 0)), bound.shape);
  return [
    inside ? op.Where(inside, dy, 0) : dy,
    // The upper bound wins where the bounds cross.
    hasLow && !isByte
      ? outside(low, below ? op.And(op.Less(x, low), below) : op.Less(x, low))
      : null,
    hasHigh && !isByte ? outside(high, op.Greater(x, high)) : null,
  ];
}

function square(op: Op, value: Value): Value {
  return op.Mul(value, value);
}

export const arithmetic = rules({
  Identity: ({ dy }) => [dy],
  Add: ({ dy, x: [a, b], op }) => [op.sumTo(a, dy), op.sumTo(b, dy)],
  Sub: ({ dy, x: [a, b], op }) => [op.sumTo(a, dy), op.sumTo(b, op.Neg(dy))],
  Mul: ({ dy, x: [a, b], op }) => [op.sumTo(a, op.Mul(dy, b)), op.sumTo(b, op.Mul(dy, a))],
  Div: ({ dy, x: [a, b], y, op }) => {
    const da = op.Div(dy, b);
    return [op.sumTo(a, da), op.sumTo(b, op.Neg(op.Mul(da, y)))];
  },
  Mod: remainder,
  Pow: (context) => {
    const { x, op } = context;
    const exponent = op.sumTo(x[1], exponentRule(context));
    return [op.sumTo(x[0], powerRule(context)), op.cast(exponent, x[1].type)];
  },
  Sum: ({ dy, x, op }) => x.map((input) => op.sumTo(input, dy)),
  Mean: ({ dy, x, op }) => {
    const share = op.Div(dy, x.length);
    return x.map((input) => op.sumTo(input, share));
  },
  Min: extremum,
  Max: extremum,
  Clip: clip,
  Where: ({ dy, x: [condition, a, b], op }) => [
    null,
    op.sumTo(a, op.Where(condition, dy, 0)),
    op.sumTo(b, op.Where(condition, 0, dy)),
  ],
  Cast: ({ dy, x: [x], op }) => [op.cast(dy, x.type)],
  CastLike: ({ dy, x: [x], op }) => [op.cast(dy, x.type)],
  Neg: ({ dy, op }) => [op.Neg(dy)],
  Abs: ({ dy, x: [x], op }) => [op.Mul(dy, op.Sign(x))],
  Sqrt: ({ dy, y, op }) => [op.Div(op.Mul(dy, 0.5), y)],
  Exp: ({ dy, y, op }) => [op.Mul(dy, y)],
  Log: ({ dy, x: [x], op }) => [op.Div(dy, x)],
  Reciprocal: ({ dy, y, op }) => [op.Neg(op.Mul(dy, square(op, y)))],
  Erf: ({ dy, x: [x], op }) => [op.Mul(dy, op.Mul(op.Exp(op.Neg(square(op, x))), twoOverSqrtPi))],
  Sin: ({ dy, x: [x], op }) => [op.Mul(dy, op.Cos(x))],
  Cos: ({ dy, x: [x], op }) => [op.Neg(op.Mul(dy, op.Sin(x)))],
  Tan: ({ dy, y, op }) => [op.Mul(dy, op.Add(square(op, y), 1))],
  Asin: ({ dy, x: [x], op }) => [op.Div(dy, op.Sqrt(op.Sub(1, square(op, x))))],
  Acos: ({ dy, x: [x], op }) => [op.Neg(op.Div(dy, op.Sqrt(op.Sub(1, square(op, x)))))],
  Atan: ({ dy, x: [x], op }) => [op.Div(dy, op.Add(square(op, x), 1))],
  Sinh: ({ dy, x: [x], op }) => [op.Mul(dy, op.Cosh(x))],
  Cosh: ({ dy, x: [x], op }) => [op.Mul(dy, op.Sinh(x))],
  Asinh: ({ dy, x: [x], op }) => [op.Div(dy, op.Sqrt(op.Add(square(op, x), 1)))],
  Acosh: ({ dy, x: [x], op }) => [op.Div(dy, op.Sqrt(op.Sub(square(op, x), 1)))],
  Atanh: ({ dy, x: [x], op }) => [op.Div(dy, op.Sub(1, square(op, x)))],
  CumSum: ({ dy, x: [, axis], attributes, op }) => [
    op.CumSum(dy, axis, {
      exclusive: int(attributes, 'exclusive', 0),
      reverse: 1 - int(attributes, 'reverse', 0),
    }),
  ],
});
