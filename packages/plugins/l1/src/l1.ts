import { definePlugin, nonNegative, setting } from '@gradware/core';

/** Takes every weight beyond λ, but those that are as good as zero: below λ · 1e-30. */
const steep = 1e30;

/** Adds the (sub)gradient of an L1 penalty λ · ‖w‖₁ to every gradient.
 *  g ← g + λ · sign(w)   (Tibshirani 1996; 0 where a weight is 0, as torch.sign)
 *  Weights become small, but seldom exactly zero: they step over it. */
export const l1 = definePlugin({
  name: 'l1',
  description: 'Adds the gradient of an L1 penalty on the weights.',
  role: 'regularise',
  options: { lambda: setting(nonNegative, 1e-5, 'strength of the penalty') },
  transform: (gradients, { op, parameter }, { lambda }) =>
    gradients.map((gradient) => {
      // λ · sign(w) in two passes; Sign alone takes as long as five. In float32: float16 does not go so far.
      const far = op.Mul(op.cast(parameter(gradient), 'float32'), steep);
      const signed = op.Clip(far, op.Neg(lambda), lambda);
      return op.Add(gradient, op.cast(signed, gradient.type));
    }),
});
