import type { Op } from '../../graph/builder.js';
import type { Value } from '../../graph/value.js';

/** 2π in two parts: a whole multiple of the first is exact in float32. */
const [turn, turnRest] = [6.28125, 2 * Math.PI - 6.28125];

/** Of the Taylor series of sin(x) / x in x²: right to 6e-8 up to a quarter turn. */
const coefficients = [-1 / 39916800, 1 / 362880, -1 / 5040, 1 / 120, -1 / 6, 1];

/** sin(x) in float32 to a few units of the last place, where the provider's own may be off by 5e-4. */
export function sine(op: Op, x: Value): Value {
  const turns = op.Floor(op.Add(op.Mul(x, 1 / (2 * Math.PI)), 0.5));
  const rest = op.Sub(op.Sub(x, op.Mul(turns, turn)), op.Mul(turns, turnRest));
  // sin(π - x) = sin(x) brings what is beyond a quarter turn back.
  const above = op.Where(op.Greater(rest, Math.PI / 2), op.Sub(Math.PI, rest), rest);
  const small = op.Where(op.Less(above, -Math.PI / 2), op.Sub(-Math.PI, above), above);
  const square = op.Mul(small, small);
  const [first, ...others] = coefficients;
  const series = others.reduce<Value | number>(
    (total, coefficient) => op.Add(op.Mul(square, total), coefficient),
    first as number,
  );
  return op.Mul(small, series);
}

export function cosine(op: Op, x: Value): Value {
  return sine(op, op.Add(x, Math.PI / 2));
}
