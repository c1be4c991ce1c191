import { definePlugin, nonNegative, setting } from '@gradware/core';

/** Damps negative elements exponentially, and leaves positive ones.
 *  g ← g / max(1, e^(-γ g))   which is g for g >= 0, and g · e^(γ g), at least -1 / (e γ), for g < 0
 *  `gamma: 0` changes nothing. */
export const damp = definePlugin({
  name: 'damp',
  description: 'Damps negative elements exponentially: g / max(1, e^(-gamma g)).',
  role: 'shape',
  elementwise: true,
  options: { gamma: setting(nonNegative, 1, 'strength of the damping') },
  transform: (gradients, { op }, { gamma }) =>
    gradients.map((gradient) => {
      const exponent = op.Mul(gradient, op.cast(op.Neg(gamma), gradient.type));
      return op.Div(gradient, op.Max(op.Exp(exponent), 1));
    }),
});
