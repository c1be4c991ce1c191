import {
  constant,
  definePlugin,
  elementCount,
  type Kind,
  type Op,
  oneOf,
  positive,
  setting,
  type Value,
} from '@gradware/core';

/** Added to the norm, so that a gradient of zero divides nothing by zero; PyTorch's value. */
const epsilon = 1e-6;
const largestFloat = 3.4028234e38;

type NormType = 1 | 2 | typeof Number.POSITIVE_INFINITY;

const normTypes: Kind<NormType> = {
  describe: '1, 2 or Infinity',
  accepts: (value): value is NormType =>
    value === 1 || value === 2 || value === Number.POSITIVE_INFINITY,
};

/** Scales all gradients together so that their global norm is at most `maxNorm`.
 *  g ← g · min(1, maxNorm / (‖g‖ + 1e-6))   (Pascanu, Mikolov and Bengio 2013; as torch.nn.utils.clip_grad_norm_)
 *  The norm is the Euclidean one; with `normType: 1` the sum of magnitudes, with `Infinity` the largest of them.
 *  With `per: 'tensor'` every gradient is scaled by its own norm (as Keras' clipnorm).
 *  `maxNorm: Infinity` changes nothing and only reports the norm. */
export const normClip = definePlugin({
  name: 'norm-clip',
  description: 'Scales gradients so that their norm is at most a maximum.',
  role: 'clip',
  options: {
    maxNorm: setting(positive, 1, 'largest norm; Infinity only reports the norm'),
    normType: constant(
      normTypes,
      2,
      'Euclidean norm (2), sum of magnitudes (1) or the largest (Infinity)',
    ),
    per: constant(oneOf('global', 'tensor'), 'global', 'one norm of all gradients, or one of each'),
  },
  transform(gradients, { op, metric }, { maxNorm, normType, per }) {
    const groups = per === 'global' ? [gradients] : gradients.map((gradient) => [gradient]);
    const norms = groups.map((group) => normOf(op, group, normType));
    const scales = norms.map((norm) => scaleOf(op, norm, maxNorm));
    metric('norm', joined(op, norms, normType));
    metric(
      'clipped-norm',
      joined(
        op,
        norms.map((norm, i) => op.Mul(norm, scales[i])),
        normType,
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

function normOf(op: Op, group: readonly Value[], type: NormType): Value {
  if (type === 2) return op.globalNorm(group);
  const magnitudes = group
    .filter(({ shape }) => elementCount(shape) > 0)
    .map((gradient) => op.cast(op.Abs(gradient), 'float32'));
  return type === 1 ? op.total(magnitudes) : largest(op, magnitudes);
}

/** The largest of all magnitudes, NaN where one of them is: a maximum alone would hide it. */
function largest(op: Op, magnitudes: readonly Value[]): Value {
  const tops = magnitudes.map((each) =>
    each.shape.length === 0 ? each : op.ReduceMax(each, { keepdims: 0 }),
  );
  const unequal = magnitudes.map((each) => op.cast(op.Not(op.Equal(each, each)), 'float32'));
  const top = tops.reduce((most, each) => op.Max(most, each), op.scalar(0));
  return op.Where(op.Greater(op.total(unequal), 0), Number.NaN, top);
}

/** The norm of everything from the norms of its parts. */
function joined(op: Op, norms: readonly Value[], type: NormType): Value {
  const [first, ...rest] = norms;
  if (first === undefined || rest.length === 0) return first ?? op.scalar(0);
  return normOf(op, norms, type);
}
