import { definePlugin, type Kind, nonNegative, setting } from '@gradware/core';

const share: Kind<number> = {
  describe: 'a number from 0 to 1',
  accepts: (value): value is number => typeof value === 'number' && value >= 0 && value <= 1,
};

/** Takes every weight beyond λ, but those that are as good as zero: below λ · 1e-30. */
const steep = 1e30;

/** Adds the (sub)gradient of an elastic net penalty λ · (ρ · ‖w‖₁ + (1 - ρ) / 2 · ‖w‖²) to every gradient.
 *  g ← g + λ · (ρ · sign(w) + (1 - ρ) · w)   (Zou and Hastie 2005; λ and ρ as alpha and l1_ratio of scikit-learn)
 *  With ρ = 1 it is an L1 penalty, with ρ = 0 an L2 penalty. */
export const elastic = definePlugin({
  name: 'elastic',
  description: 'Adds the gradient of an elastic net penalty (L1 and L2) on the weights.',
  role: 'regularise',
  options: {
    lambda: setting(nonNegative, 1e-4, 'strength of the penalty'),
    l1Ratio: setting(share, 0.5, 'ρ: how much of it is L1'),
  },
  transform(gradients, { op, parameter }, { lambda, l1Ratio }) {
    const [ofSign, ofWeight] = [op.Mul(lambda, l1Ratio), op.Mul(lambda, op.Sub(1, l1Ratio))];
    return gradients.map((gradient) => {
      // In float32: float16 does not go as far as the slope.
      const weight = op.cast(parameter(gradient), 'float32');
      // λ · ρ · sign(w) in two passes; Sign alone takes as long as five.
      const signed = op.Clip(op.Mul(weight, steep), op.Neg(ofSign), ofSign);
      const penalty = op.Add(signed, op.Mul(weight, ofWeight));
      return op.Add(gradient, op.cast(penalty, gradient.type));
    });
  },
});
