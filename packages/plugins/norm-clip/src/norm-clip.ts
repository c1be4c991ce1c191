import {
  constant,
  definePlugin,
  type Op,
  oneOf,
  positive,
  setting,
  type Value,
} from '@gradware/core';

/** Added to the norm, so that a gradient of zero divides nothing by zero; PyTorch's value. */
const epsilon = 1e-6;
const largestFloat = 3.4028234e38;

/** Scales all gradients together so that their global norm is at most `maxNorm`.
 *  g ← g · min(1, maxNorm / (‖g‖₂ + 1e-6))   (Pascanu, Mikolov and Bengio 2013; as torch.nn.utils.clip_grad_norm_)
 *  With `per: 'tensor'` every gradient is scaled by its own norm (as Keras' clipnorm).
 *  `maxNorm: Infinity` changes nothing and only reports the norm. */
export const normClip = definePlugin({
  name: 'norm-clip',
  description: 'Scales gradients so that their norm is at most a maximum.',
  role: 'clip',
  options: {
    maxNorm: setting(positive, 1, 'largest norm; Infinity only reports the norm'),
    per: constant(oneOf('global', 'tensor'), 'global', 'one norm of all gradients, or one of each'),
  },
  transform(gradients, { op, metric }, { maxNorm, per }) {
    const groups = per === 'global' ? [gradients] : gradients.map((gradient) => [gradient]);
    const norms = groups.map((group) => op.globalNorm(group));
    const scales = norms.map((norm) => scaleOf(op, norm, maxNorm));
    metric('norm', joined(op, norms));
    metric(
      'clipped-norm',
      joined(
        op,
        norms.map((norm, i) => op.Mul(norm, scales[i])),
      ),
    );
    return gradients.map((gradient, i) => {
      const scale = scales[per === 'global' ? 0 : i] as Value;
      return op.Mul(gradient, op.cast(scale, gradient.type));
    });
  },
});

/** min(1, maxNorm / (norm + 1e-6)), NaN where the norm is NaN, 1 where the maximum is infinite. Not `Min`: on
 *  some providers Min(NaN, 1) is 1, which would hide a gradient that is not a number. */
function scaleOf(op: Op, norm: Value, maxNorm: Value): Value {
  const scale = op.Div(maxNorm, op.Add(norm, epsilon));
  const limited = op.Where(op.GreaterOrEqual(scale, 1), 1, scale);
  return op.Where(op.Greater(maxNorm, largestFloat), 1, limited);
}

/** The norm of everything from the norms of its parts. */
function joined(op: Op, norms: readonly Value[]): Value {
  const [first, ...rest] = norms;
  if (first === undefined || rest.length === 0) return first ?? op.scalar(0);
  const squares = norms.map((norm) => op.Mul(norm, norm));
  return op.Sqrt(squares.reduce((total, square) => op.Add(total, square)));
}
