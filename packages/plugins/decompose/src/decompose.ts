import { definePlugin, finite, type Op, setting, type Value } from '@gradware/core';

const largestFloat = 3.4028234e38;

/** Splits every gradient into the part along its weight and the part across it, and scales each.
 *
 *      g∥ = (⟨g, w⟩ / ⟨w, w⟩) · w      g⊥ = g - g∥      g ← along · g∥ + across · g⊥
 *
 *  By default the part along the weight, which only changes its length, is removed (as the projection of AdamP: Heo et
 *  al. 2021). Where a weight is zero (or its square more than float32 holds), all of the gradient lies
 *  across it. */
export const decompose = definePlugin({
  name: 'decompose',
  description: 'Scales the parts of each gradient along and across its weight.',
  role: 'shape',
  options: {
    along: setting(finite, 0, 'factor of the part along the weight'),
    across: setting(finite, 1, 'factor of the part across the weight'),
  },
  transform(gradients, { op, metric, parameter }, { along, across }) {
    const parts = gradients.map((gradient) => partAlong(op, gradient, parameter(gradient)));
    metric('along-norm', op.globalNorm(parts.map(({ norm }) => norm)));
    return gradients.map((gradient, i) => {
      const { coefficient } = parts[i] as Part;
      const as = (value: Value) => op.cast(value, gradient.type);
      const ofWeight = as(op.Mul(op.Sub(along, across), coefficient));
      return op.Add(op.Mul(gradient, as(across)), op.Mul(parameter(gradient), ofWeight));
    });
  },
});

interface Part {
  /** ⟨g, w⟩ / ⟨w, w⟩ */
  readonly coefficient: Value;
  /** The norm of the part along the weight, with a sign. */
  readonly norm: Value;
}

function partAlong(op: Op, gradient: Value, weight: Value): Part {
  const [product, square] = [op.dot([gradient], [weight]), op.dot([weight], [weight])];
  const hasDirection = op.And(op.Greater(square, 0), op.LessOrEqual(square, largestFloat));
  const safe = op.Where(hasDirection, square, 1);
  const coefficient = op.Where(hasDirection, op.Div(product, safe), 0);
  return { coefficient, norm: op.Mul(coefficient, op.Sqrt(safe)) };
}
