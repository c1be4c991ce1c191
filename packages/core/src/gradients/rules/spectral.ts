import { GradwareError } from '../../errors.js';
import type { Op } from '../../graph/builder.js';
import { tensorOf } from '../../graph/constants.js';
import { int, normalizeAxis, type Value } from '../../graph/value.js';
import { type GradientContext, known, rules } from '../rule.js';

/** With zeros behind its last element along an axis, or cut off there. */
function resized(op: Op, value: Value, axis: number, length: number): Value {
  const missing = length - (value.shape[axis] ?? 0);
  const zeros = value.shape.map(() => 0);
  return missing === 0 ? value : op.Pad(value, op.ints([...zeros, ...zeros.with(axis, missing)]));
}

/** The adjoint of a transform of n elements is n times the inverse, that of an inverse a transform by n. */
function dft(context: GradientContext): readonly Value[] {
  const { dy, x, y, has, attributes, node, op } = context;
  const { type, shape } = x[0];
  const axis = normalizeAxis((has(2) ? known(context, 2)[0] : undefined) ?? -2, shape.length);
  const [inverse, half] = [
    int(attributes, 'inverse', 0) === 1,
    int(attributes, 'onesided', 0) === 1,
  ];
  const signal = shape[axis] ?? 0;
  const count =
    half && !inverse
      ? ((has(1) ? known(context, 1)[0] : undefined) ?? signal)
      : (y.shape[axis] ?? 0);
  const sizes = [op.scalar(count, 'int64'), op.scalar(axis, 'int64')];
  if (half && inverse) {
    const bins = op.DFT(dy, ...sizes, { onesided: 1 });
    if (bins.shape[axis] !== signal)
      throw new GradwareError('NO_GRADIENT', `No gradient is known for this ${node.opType}`, {
        where: `node ${node.name}, ${signal} bins of ${count} numbers`,
        remedy: `Give it the ${bins.shape[axis]} bins that such a signal has.`,
      });
    // Each stands for its conjugate as well, but for the first and the middle one.
    const shares = Array.from(
      { length: bins.shape[axis] ?? 0 },
      (_, k) => (k === 0 || 2 * k === count ? 1 : 2) / count,
    );
    const along = shape.map((_, i) => (i === axis ? shares.length : 1));
    return [op.Mul(bins, op.constant(tensorOf(type, shares, along)))];
  }
  const back = op.DFT(resized(op, dy, axis, count), ...sizes, { inverse: inverse ? 0 : 1 });
  const scaled = inverse ? op.Div(back, count) : op.Mul(back, count);
  const last = shape.length - 1;
  const real = shape[last] === 1 ? op.slice(scaled, last, 0, 1) : scaled;
  return [resized(op, real, axis, signal)];
}

export const spectral = rules({ DFT: dft });
