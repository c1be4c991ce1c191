import {
  definePlugin,
  elementCount,
  type Op,
  type Payload,
  type PluginContext,
  packBits,
  positive,
  setting,
  unpackBits,
  type Value,
} from '@gradware/core';

/** Below it float32 loses digits; a maximum that small counts as zero. */
const smallestNormal = 2 ** -126;
const bits = 2;

/** Rounds every element at random to -s, 0 or s, after clipping it.
 *  g ← min(max(g, -cσ), cσ);   g_i ← s · sgn(g_i) · b_i, b_i = 1 with probability |g_i| / s, s = max |g|
 *  (TernGrad, Wen et al. 2017; σ is the standard deviation of the tensor, c the paper's 2.5.) Unbiased but for the
 *  clipping, which `clip: Infinity` switches off, and which leaves a tensor alone whose elements are all the same. */
export const terngrad = definePlugin({
  name: 'terngrad',
  description: 'Rounds gradients at random to three levels, after clipping them.',
  role: 'compress',
  options: {
    clip: setting(positive, 2.5, 'bound in standard deviations of the tensor; Infinity for none'),
  },
  transform: (gradients, context, { clip }) =>
    gradients.map((gradient) => {
      if (elementCount(gradient.shape) === 0) return gradient;
      const { codes, scale } = ternary(gradient, context, clip);
      return decoded(context.op, codes, scale, gradient);
    }),
  encode(gradient, context, { clip }): Payload {
    const { op } = context;
    if (elementCount(gradient.shape) === 0) return {};
    const { codes, scale } = ternary(gradient, context, clip);
    return {
      // Codes cannot say NaN: a scale of NaN says it for all of them.
      scale: op.Where(op.isFinite(gradient), scale, Number.NaN),
      codes: packBits(op, op.Add(codes, 1), bits),
    };
  },
  decode(payload, { op }, _, like) {
    if (elementCount(like.shape) === 0) return op.zeros(like);
    const { scale, codes } = payload as { readonly scale: Value; readonly codes: Value };
    return decoded(op, op.Sub(unpackBits(op, codes, bits, like.shape), 1), scale, like);
  },
});

function decoded(op: Op, codes: Value, scale: Value, like: Value): Value {
  return op.cast(op.Mul(codes, scale), like.type);
}

/** Codes -1, 0 and 1, and s. */
function ternary(
  gradient: Value,
  { op, random }: PluginContext,
  clip: Value,
): { readonly codes: Value; readonly scale: Value } {
  const g = op.cast(gradient, 'float32');
  const found = op.reshape(op.infNorms([g]), []);
  const maximum = op.Where(op.Less(found, smallestNormal), 1, found);
  // Divided by its maximum first: squares of large and of small numbers leave the range of float32.
  const unit = op.Div(g, maximum);
  const bound = boundOf(op, unit, clip);
  const ratio = op.Div(unit, bound);
  // Beyond the bound the ratio is beyond 1, and rounded to it.
  const codes = op.Clip(op.Floor(op.Add(ratio, random({ like: g }))), -1, 1);
  return { codes, scale: op.Mul(maximum, bound) };
}

/** min(c σ, 1) of a tensor whose largest element is 1; 1 where σ is 0, and where c σ is no number. */
function boundOf(op: Op, unit: Value, clip: Value): Value {
  const centred = op.Sub(unit, op.mean(unit));
  const deviation = op.Sqrt(op.mean(op.Mul(centred, centred)));
  const bound = op.Mul(clip, deviation);
  const bounds = op.And(op.Greater(bound, smallestNormal), op.Less(bound, 1));
  return op.Where(bounds, bound, 1);
}
