import {
  constant,
  definePlugin,
  elementCount,
  type Op,
  oneOf,
  type Payload,
  packBits,
  unpackBits,
  type Value,
} from '@gradware/core';

/** Keeps of every element its sign: one bit.
 *  g ← mean |g| · sgn(g), sgn(0) = 1   (the scaled sign of EF-SGD, Karimireddy et al. 2019, with a scale for each tensor)
 *  With `scale: 'none'` g ← sgn(g)      (signSGD, Bernstein et al. 2018)
 *  One bit has no third value: where a gradient is 0, it becomes positive. */
export const sign = definePlugin({
  name: 'sign',
  description: 'Keeps the sign of every element, and one scale for each tensor.',
  role: 'compress',
  options: {
    scale: constant(
      oneOf('mean', 'none'),
      'mean',
      'signs times the mean absolute value of their tensor, or as they are',
    ),
  },
  transform: (gradients, { op }, { scale }) =>
    gradients.map((gradient) =>
      elementCount(gradient.shape) === 0
        ? gradient
        : signed(op, isPositive(op, gradient), scaleOf(op, gradient, scale), gradient),
    ),
  encode(gradient, { op }, { scale }): Payload {
    if (elementCount(gradient.shape) === 0) return {};
    return {
      scale: scaleOf(op, gradient, scale),
      signs: packBits(op, isPositive(op, gradient), 1),
    };
  },
  decode(payload, { op }, _, like) {
    if (elementCount(like.shape) === 0) return op.zeros(like);
    const { scale, signs } = payload as { readonly scale: Value; readonly signs: Value };
    return signed(op, unpackBits(op, signs, 1, like.shape), scale, like);
  },
});

/** 1 where g >= 0, 0 elsewhere: float32. */
function isPositive(op: Op, gradient: Value): Value {
  return op.cast(op.GreaterOrEqual(gradient, 0), 'float32');
}

/** NaN where the gradient holds it: signs cannot say it. */
function scaleOf(op: Op, gradient: Value, scale: 'mean' | 'none'): Value {
  const g = op.cast(gradient, 'float32');
  return scale === 'mean' ? op.mean(op.Abs(g)) : op.Where(op.isFinite(g), 1, Number.NaN);
}

/** scale where the bit is 1, -scale where it is 0. */
function signed(op: Op, bits: Value, scale: Value, like: Value): Value {
  return op.cast(op.Sub(op.Mul(bits, op.Mul(scale, 2)), scale), like.type);
}
