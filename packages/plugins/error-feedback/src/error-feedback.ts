import {
  constant,
  definePlugin,
  type GradientPlugin,
  GradwareError,
  gradientPlugin,
  type PluginRole,
  ratio,
  setting,
} from '@gradware/core';

/** Adds what a compressor lost to the next gradient.
 *
 *      v = g + δ · e      g ← C(v)      e ← v - C(v)
 *
 *  (Seide et al. 2014; Karimireddy et al. 2019; δ = 1 unless `decay` is given.) With δ = 1 nothing is ever lost: what was sent
 *  and what is remembered together are the sum of all gradients. The residual e is state, one for each parameter. */
export const errorFeedback = definePlugin({
  name: 'error-feedback',
  description: 'Adds what the plugin inside it lost to the next gradient.',
  role: 'compress',
  options: {
    compressor: constant(gradientPlugin, undefined, 'the plugin inside'),
    decay: setting(ratio, undefined, 'share of the residual that is added (default: all of it)'),
  },
  hasFeedback: () => true,
  validate: ({ compressor }) => check(compressor as GradientPlugin | undefined),
  transform(gradients, { op, state, apply, metric }, { compressor, decay }) {
    const residuals = gradients.map((gradient) => state('residual', { like: gradient }));
    const wanted = gradients.map((gradient, i) => {
      const residual = residuals[i]?.value;
      return op.Add(gradient, decay ? op.Mul(residual, op.cast(decay, gradient.type)) : residual);
    });
    const sent = apply(compressor as GradientPlugin, wanted);
    const lost = residuals.map((residual, i) => residual.set(op.Sub(wanted[i], sent[i])));
    metric('residual-norm', op.globalNorm(lost));
    return sent;
  },
});

/** What holds or drops a step, or keeps gradients back, does more than change them. */
const holding: ReadonlySet<PluginRole | undefined> = new Set(['unscale', 'guard', 'accumulate']);

/** @throws GradwareError INVALID_OPTION where there is nothing inside, nothing that changes gradients only, or error
 *  feedback */
function check(inside: GradientPlugin | undefined): void {
  if (inside === undefined)
    throw new GradwareError('INVALID_OPTION', 'error-feedback has no plugin inside', {
      remedy:
        'Give it one: errorFeedback({ compressor: topK() }), --plugin "error-feedback(top-k)".',
    });
  if (inside.hasFeedback === true)
    throw new GradwareError(
      'INVALID_OPTION',
      `error-feedback around ${inside.name}, which has error feedback itself, would add what was lost twice`,
      { remedy: 'Use one of the two.' },
    );
  const changes = inside.transform ?? inside.encode ?? inside.transformHost;
  const other = inside.seed ?? inside.transformUpdates;
  if (changes !== undefined && other === undefined && !holding.has(inside.role)) return;
  throw new GradwareError('INVALID_OPTION', `error-feedback cannot work around ${inside.name}`, {
    remedy: `Give ${inside.name} a place of its own in the chain: it does not only change gradients.`,
  });
}
