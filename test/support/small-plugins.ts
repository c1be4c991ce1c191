import type { Value } from '../../packages/core/src/graph/value.js';
import { constant, integer, positive, setting } from '../../packages/core/src/options/options.js';
import { definePlugin, type GradientPlugin } from '../../packages/core/src/plugins/plugin.js';

export const accumulate = definePlugin({
  name: 'accumulate',
  role: 'accumulate',
  options: { n: constant(integer(1), 2) },
  transform(gradients, { op, state, wait }, { n }) {
    const count = state('count', { dtype: 'int32', survives: true });
    const next = op.Add(count.value, 1);
    const done = op.Equal(next, n);
    count.set(op.Where(done, 0, next));
    wait(op.Not(done));
    return gradients.map((g) => {
      const sum = state('sum', { like: g, survives: true });
      const total = op.Add(sum.value, g);
      sum.set(op.Where(done, 0, total));
      return op.Div(total, n);
    });
  },
});

export const skipNonfinite = definePlugin({
  name: 'skip-nonfinite',
  options: {},
  transform(gradients, { op, state, drop, metric }) {
    const bad = op.Not(op.isFinite(op.globalNorm(gradients)));
    const skipped = state('skipped', { dtype: 'int32', survives: true });
    metric('skipped', skipped.set(op.Add(skipped.value, op.cast(bad, 'int32'))));
    drop(bad);
    return gradients;
  },
});

/** A loss scale that doubles every second step, to prove that seed and transform share state. */
export const lossScale = definePlugin({
  name: 'loss-scale',
  options: {},
  seed(dLoss, { op, state }) {
    return op.Mul(dLoss, state('scale', { init: 8 }).value);
  },
  transform(gradients, { op, state, step }) {
    const scale = state('scale', { init: 8 });
    const grows = op.Equal(op.Mod(step, 2), 1);
    scale.set(op.Where(grows, op.Mul(scale.value, 2), scale.value));
    return gradients.map((g) => op.Div(g, scale.value));
  },
});

export const freeze = definePlugin({
  name: 'freeze',
  options: { steps: constant(integer(0), 3) },
  transform(gradients, { op, step, wait }, { steps }) {
    wait(op.Less(step, steps), gradients);
    return gradients;
  },
});

export const round = definePlugin({
  name: 'round',
  options: { unit: setting(positive, 0.25) },
  encode: (g, { op }, { unit }) => ({ codes: op.cast(op.Round(op.Div(g, unit)), 'int8') }),
  decode: ({ codes }, { op }, { unit }) => op.Mul(op.cast(codes as Value, 'float32'), unit),
});

export function errorFeedback(compressor: GradientPlugin): GradientPlugin {
  return {
    name: 'error-feedback',
    transform(gradients, { op, state, apply }) {
      const residual = gradients.map((g) => state('residual', { like: g }));
      const wanted = gradients.map((g, i) => op.Add(g, residual[i]?.value));
      const sent = apply(compressor, wanted);
      residual.forEach((r, i) => {
        r.set(op.Sub(wanted[i], sent[i]));
      });
      return sent;
    },
  };
}

export const halveOnHost = definePlugin({
  name: 'halve-on-host',
  options: { factor: setting(positive, 0.5) },
  async transformHost(gradients, { setting: read, state, metric }) {
    await Promise.resolve();
    const calls = state('calls', { length: 1 });
    calls[0] = (calls[0] ?? 0) + 1;
    metric('calls', calls[0]);
    return gradients.map((g) => ({ ...g, data: g.data.map((v) => v * read('factor')) }));
  },
});

export const scaleBy = (factor: number): GradientPlugin => ({
  name: 'scale',
  transform: (gradients, { op }) => gradients.map((g) => op.Mul(g, factor)),
});

/** Ends training at some step. */
export const stopAt = (at: number): GradientPlugin => ({
  name: 'stop-at',
  transform(gradients, { op, step, stop }) {
    stop(op.Equal(step, at), 'it is time');
    return gradients;
  },
});
