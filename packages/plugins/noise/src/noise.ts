import {
  definePlugin,
  elementCount,
  nonNegative,
  type Op,
  setting,
  type Value,
} from '@gradware/core';

/** Adds Gaussian noise to every gradient, less and less of it.
 *  g ← g + N(0, η / (1 + t)^γ), with t steps made before this one
 *  (Neelakantan et al. 2015; as optax.add_noise)
 *  Box and Muller's method on counted random numbers: the noise is a function of the seed, the step, the parameter and
 *  the element. */
export const noise = definePlugin({
  name: 'noise',
  description: 'Adds Gaussian noise to the gradients, less and less of it.',
  role: 'noise',
  options: {
    eta: setting(nonNegative, 0.01, 'variance of the noise at the first step'),
    gamma: setting(nonNegative, 0.55, 'how fast the variance falls; 0 keeps it'),
  },
  transform(gradients, { op, metric, random, state }, { eta, gamma }) {
    const count = state('count');
    const next = count.set(op.Add(count.value, 1));
    const deviation = op.Sqrt(op.Div(eta, op.Pow(next, gamma)));
    metric('deviation', deviation);
    return gradients.map((gradient) => {
      if (elementCount(gradient.shape) === 0) return gradient;
      const drawn = op.Mul(gaussian(op, gradient, random), deviation);
      return op.Add(gradient, op.cast(drawn, gradient.type));
    });
  },
});

type Random = (options: { readonly like: Value }) => Value;

/** Normally distributed numbers of the shape of `like`, float32. Two uniform numbers make two normal ones. */
function gaussian(op: Op, like: Value, random: Random): Value {
  const count = elementCount(like.shape);
  const half: Value = { ...like, shape: [Math.ceil(count / 2)] };
  // In (0, 1], so that its logarithm is finite.
  const first = op.Sub(1, random({ like: half }));
  const angle = op.Mul(random({ like: half }), 2 * Math.PI);
  const radius = op.Sqrt(op.Mul(op.Log(first), -2));
  const both = op.Concat(op.Mul(radius, op.Cos(angle)), op.Mul(radius, op.Sin(angle)), { axis: 0 });
  return op.reshape(count % 2 === 0 ? both : op.slice(both, 0, 0, count), like.shape);
}
