import { boolean, constant, definePlugin, fraction, setting, type Value } from '@gradware/core';

/** Replaces every gradient by its exponentially weighted average over the steps.
 *
 *      m ← decay · m + (1 - decay) · g      g ← m / (1 - decay^t) with debias, m without
 *
 *  (as optax.ema; the first moment of Adam: Kingma and Ba 2015.) 1 - decay^t is kept as the sum of the weights so far:
 *  in float32 that is right to the last digits, also at the first step, and where decay changes. */
export const ema = definePlugin({
  name: 'ema',
  description: 'Averages gradients over the steps, with exponential weights.',
  role: 'shape',
  options: {
    decay: setting(fraction, 0.9, 'how slowly the average forgets'),
    debias: constant(boolean, true, 'corrects for the zero that the average starts from'),
  },
  transform(gradients, { op, state }, { decay, debias }) {
    const own = op.Sub(1, decay);
    const weight = state('weight');
    const sum = weight.set(op.Add(op.Mul(weight.value, decay), own));
    return gradients.map((gradient) => {
      const as = (value: Value) => op.cast(value, gradient.type);
      const average = state('average', { like: gradient });
      const next = op.Add(op.Mul(average.value, as(decay)), op.Mul(gradient, as(own)));
      average.set(next);
      return debias ? op.Div(next, as(sum)) : next;
    });
  },
});
