import { constant, definePlugin, integer, type Kind, setting } from '@gradware/core';

const finitePositive: Kind<number> = {
  describe: 'a finite number > 0',
  accepts: (value): value is number =>
    typeof value === 'number' && value > 0 && Number.isFinite(value),
};
const growing: Kind<number> = {
  describe: 'a finite number >= 1',
  accepts: (value): value is number =>
    typeof value === 'number' && value >= 1 && Number.isFinite(value),
};
const shrinking: Kind<number> = {
  describe: 'a number > 0 and < 1',
  accepts: (value): value is number => typeof value === 'number' && value > 0 && value < 1,
};

/** Multiplies the loss, so that small gradients do not vanish in half precision, and divides the gradients again.
 *
 *      finite gradients:  g ← g / scale; after growthInterval of them in a row scale ← scale · growthFactor
 *      otherwise:         the step is dropped, scale ← scale · backoffFactor
 *
 *  (Micikevicius et al. 2018; as torch.amp.GradScaler) */
export const lossScale = definePlugin({
  name: 'loss-scale',
  description:
    'Scales the loss dynamically, so that small gradients do not vanish in half precision.',
  role: 'unscale',
  single: true,
  options: {
    initialScale: constant(finitePositive, 65536, 'the scale of the first step'),
    growthFactor: setting(growing, 2, 'what the scale is multiplied by when it grows'),
    backoffFactor: setting(shrinking, 0.5, 'what it is multiplied by after an overflow'),
    growthInterval: setting(integer(1), 2000, 'steps without overflow before it grows'),
  },
  seed: (dLoss, { op, state }, { initialScale }) =>
    // In float32: float16 ends before the first scale.
    op.cast(
      op.Mul(
        op.cast(dLoss, 'float32'),
        state('scale', { init: initialScale, survives: true }).value,
      ),
      dLoss.type,
    ),
  transform(gradients, { op, drop, metric, state }, options) {
    const { initialScale, growthFactor, backoffFactor, growthInterval } = options;
    const scale = state('scale', { init: initialScale, survives: true });
    const tracker = state('good-steps', { survives: true });
    const skipped = state('skipped', { survives: true });
    const unscaled = gradients.map((gradient) =>
      op.cast(op.Div(op.cast(gradient, 'float32'), scale.value), gradient.type),
    );
    const isSound = op.isFinite(op.globalNorm(unscaled));
    const good = op.Mul(op.Add(tracker.value, 1), op.cast(isSound, 'float32'));
    const isDue = op.GreaterOrEqual(good, growthInterval);
    const grown = op.Mul(scale.value, growthFactor);
    // It never grows beyond what float32 holds.
    const next = op.Where(op.And(isDue, op.isFinite(grown)), grown, scale.value);
    scale.set(op.Where(isSound, next, op.Mul(scale.value, backoffFactor)));
    tracker.set(op.Where(isDue, 0, good));
    const isBad = op.Not(isSound);
    metric('scale', scale.value);
    metric('skipped', skipped.set(op.Add(skipped.value, op.cast(isBad, 'float32'))));
    drop(isBad);
    return unscaled;
  },
});
