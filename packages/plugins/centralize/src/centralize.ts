import { constant, definePlugin, GradwareError, integer, type Value } from '@gradware/core';

/** Removes from every unit of a gradient its mean.
 *  g_i ← g_i - mean(g_i)   (gradient centralization: Yong, Huang, Hua and Zhang 2020; as optax.centralize)
 *  A unit is a slice along `axis`: what makes one output. Tensors of less than two dimensions stay as they are. */
export const centralize = definePlugin({
  name: 'centralize',
  description: 'Removes from each unit of the gradients its mean.',
  role: 'shape',
  options: {
    axis: constant(
      integer(-8, 8),
      0,
      'the axis that counts the units; -1 for weights of shape [in, out]',
    ),
  },
  transform: (gradients, { op }, { axis }) =>
    gradients.map((gradient) => {
      if (gradient.shape.length < 2) return gradient;
      return op.Sub(gradient, op.mean(gradient, axesOfUnits(gradient, axis), true));
    }),
});

/** The axes within a unit. */
function axesOfUnits({ shape, parameter }: Value, axis: number): readonly number[] {
  const own = axis < 0 ? axis + shape.length : axis;
  if (own < 0 || own >= shape.length)
    throw new GradwareError(
      'INVALID_OPTION',
      `centralize.axis is ${axis}, and ${parameter} [${shape}] has ${shape.length} axes`,
      { remedy: 'Choose another axis, or other parameters with include and exclude.' },
    );
  return shape.map((_, i) => i).filter((i) => i !== own);
}
