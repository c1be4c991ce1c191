import {
  constant,
  definePlugin,
  GradwareError,
  integer,
  type Op,
  positive,
  setting,
  type Value,
} from '@gradware/core';

/** Below it a norm is not divided by; Optax's value. */
const smallestNorm = 1e-6;

/** Adaptive gradient clipping: limits the norm of every unit of a gradient to a part of the norm of its weights.
 *  g_i ← g_i · λ · max(‖w_i‖, ε) / ‖g_i‖ where ‖g_i‖ is not below λ · max(‖w_i‖, ε)
 *  (Brock, De, Smith and Simonyan 2021; as optax.adaptive_grad_clip)
 *  A unit is a slice along `axis`: what makes one output. Tensors of one dimension (not counting those of size 1) are
 *  one unit. */
export const adaptiveClip = definePlugin({
  name: 'adaptive-clip',
  description:
    'Limits the norm of each unit of the gradients to a part of the norm of its weights.',
  role: 'clip',
  options: {
    lambda: setting(
      positive,
      0.01,
      'largest ratio of the norm of a gradient to that of its weights',
    ),
    epsilon: setting(
      positive,
      1e-3,
      'norms of weights below it count as it, so that zero can grow',
    ),
    axis: constant(
      integer(-8, 8),
      0,
      'the axis that counts the units; -1 for weights of shape [in, out]',
    ),
  },
  transform(gradients, { op, metric, parameter }, { lambda, epsilon, axis }) {
    const units = gradients.map((gradient) => {
      const axes = axesOfUnits(gradient, axis);
      const norms = unitNorms(op, gradient, axes);
      const weights = unitNorms(op, parameter(gradient), axes);
      const largest = op.Mul(lambda, atLeast(op, weights, epsilon));
      const fits = op.Less(norms, largest);
      const scales = op.Where(fits, 1, op.Div(largest, atLeast(op, norms, smallestNorm)));
      return { norms, scales, fits };
    });
    metric('norm', op.globalNorm(units.map(({ norms }) => norms)));
    metric('clipped-norm', op.globalNorm(units.map(({ norms, scales }) => op.Mul(norms, scales))));
    metric(
      'fraction',
      fractionFalse(
        op,
        units.map(({ fits }) => fits),
      ),
    );
    return gradients.map((gradient, i) =>
      op.Mul(gradient, op.cast(units[i]?.scales as Value, gradient.type)),
    );
  },
});

/** The axes within a unit; undefined for a tensor that is one unit. */
function axesOfUnits({ shape, parameter }: Value, axis: number): readonly number[] | undefined {
  if (shape.filter((size) => size !== 1).length <= 1) return undefined;
  const own = axis < 0 ? axis + shape.length : axis;
  if (own < 0 || own >= shape.length)
    throw new GradwareError(
      'INVALID_OPTION',
      `adaptive-clip.axis is ${axis}, and ${parameter} [${shape}] has ${shape.length} axes`,
      { remedy: 'Choose another axis, or other parameters with include and exclude.' },
    );
  return shape.map((_, i) => i).filter((i) => i !== own);
}

function unitNorms(op: Op, value: Value, axes: readonly number[] | undefined): Value {
  if (axes === undefined) return op.globalNorm([value]);
  const wide = op.cast(value, 'float32');
  return op.Sqrt(op.sum(op.Mul(wide, wide), axes, true));
}

/** max(x, least), NaN where x is NaN: not `Max`, which on some providers loses it. */
function atLeast(op: Op, x: Value, least: Value | number): Value {
  return op.Where(op.Less(x, least), least, x);
}

function fractionFalse(op: Op, all: readonly Value[]): Value {
  const counts = all.map((each) => op.sum(op.cast(op.Not(each), 'float32')));
  const total = all.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  return op.Div(
    counts.reduce((sum, count) => op.Add(sum, count)),
    Math.max(1, total),
  );
}
