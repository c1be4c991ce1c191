import { definePlugin, type Kind, setting } from '@gradware/core';

const count: Kind<number> = {
  describe: 'a whole number >= 1, or Infinity',
  accepts: (value): value is number =>
    typeof value === 'number' && value >= 1 && (Number.isInteger(value) || value === Infinity),
};

/** Skips a step whose gradients are not finite: parameters, the optimizer's state and what other plugins keep are as
 *  if it had never been. Training ends after `stopAfter` such steps in a row.
 *  (as optax.apply_if_finite, which lets the last one through)
 *  A norm too large for float32 (1.8e19) is not finite either. */
export const skipNonfinite = definePlugin({
  name: 'skip-nonfinite',
  description:
    'Skips steps whose gradients are not finite, and ends training after too many in a row.',
  role: 'guard',
  options: {
    stopAfter: setting(count, 10, 'so many in a row end training; Infinity never does'),
  },
  transform(gradients, { op, drop, metric, state, stop }, { stopAfter }) {
    // The norm: other plugins want it too, and then it is computed once.
    const isBad = op.Not(op.isFinite(op.globalNorm(gradients)));
    const one = op.cast(isBad, 'float32');
    const skipped = state('skipped', { survives: true });
    const inARow = state('in-a-row', { survives: true });
    metric('skipped', skipped.set(op.Add(skipped.value, one)));
    const row = inARow.set(op.Mul(op.Add(inARow.value, one), one));
    drop(isBad);
    stop(
      op.GreaterOrEqual(row, stopAfter),
      'too many steps in a row had gradients that are not finite',
    );
    return gradients;
  },
});
