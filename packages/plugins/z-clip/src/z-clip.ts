import {
  constant,
  definePlugin,
  fraction,
  integer,
  oneOf,
  positive,
  setting,
} from '@gradware/core';

/** Added to norms and deviations before they divide; the authors' value. */
const epsilon = 1e-6;

/** Clips gradients whose global norm is an outlier among past norms, and leaves all others alone.
 *
 *      z = (‖g‖ - μ) / (σ + 1e-6)          c = μ + z_max² · σ / z where z > z_max, else ‖g‖
 *      g ← g · c / (‖g‖ + 1e-6) where z > z_max
 *      μ ← α · μ + (1 - α) · c             σ² ← α · σ² + (1 - α) · (c - μ)²
 *
 *  (Kumar, Owen, Chowdhury and Güra 2025.) The first `warmup` norms only make up the first μ and σ². A norm that is
 *  not finite does not count. */
export const zClip = definePlugin({
  name: 'z-clip',
  description: 'Clips gradients whose norm is an outlier among past norms.',
  role: 'clip',
  options: {
    zMax: setting(positive, 2.5, 'how many standard deviations above the mean a norm may be'),
    decay: setting(fraction, 0.97, 'how slowly mean and variance forget'),
    warmup: setting(integer(1), 25, 'steps that only collect norms'),
    to: constant(
      oneOf('adaptive', 'mean'),
      'adaptive',
      'what an outlier is clipped to: nearer to the mean the further out it is, or the mean',
    ),
  },
  transform(gradients, { op, metric, state }, { zMax, decay, warmup, to }) {
    const [mean, variance, count] = [state('mean'), state('variance'), state('count')];
    const norm = op.globalNorm(gradients);
    const deviation = op.Sqrt(variance.value);
    const z = op.Div(op.Sub(norm, mean.value), op.Add(deviation, epsilon));
    const isWarm = op.GreaterOrEqual(count.value, warmup);
    const isOutlier = op.And(isWarm, op.Greater(z, zMax));
    const limit =
      to === 'mean'
        ? mean.value
        : op.Add(mean.value, op.Div(op.Mul(op.Mul(zMax, zMax), deviation), z));
    const clipped = op.Where(isOutlier, limit, norm);
    const scale = op.Where(isOutlier, op.Div(limit, op.Add(norm, epsilon)), 1);

    // While it warms up, each norm has the same weight: mean and variance of all so far.
    const seen = op.Add(count.value, 1);
    const own = op.Where(isWarm, op.Sub(1, decay), op.Reciprocal(seen));
    const off = op.Sub(clipped, mean.value);
    const nextMean = op.Add(mean.value, op.Mul(own, off));
    const offNext = op.Sub(clipped, nextMean);
    const spread = op.Mul(op.Where(isWarm, offNext, off), offNext);
    const rest = op.Sub(1, own);
    const nextVariance = op.Add(op.Mul(rest, variance.value), op.Mul(own, spread));
    const isSound = op.isFinite(norm);
    mean.set(op.Where(isSound, nextMean, mean.value));
    variance.set(op.Where(isSound, nextVariance, variance.value));
    count.set(op.Where(op.And(isSound, op.Not(isWarm)), seen, count.value));

    metric('norm', norm);
    metric('clipped-norm', clipped);
    metric('z', op.Where(isWarm, z, 0));
    return gradients.map((gradient) => op.Mul(gradient, op.cast(scale, gradient.type)));
  },
});
