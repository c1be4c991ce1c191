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

/** What makes no sense inside, by role, and why. */
const refused: Partial<Record<PluginRole, string>> = {
  unscale: 'it scales the loss, and counts steps that are dropped',
  guard: 'it decides about whole steps',
  accumulate: 'it keeps gradients back itself, and gives them later',
  reduce:
    'what other workers give would count as lost; put error feedback around what compresses, before it',
  regularise: 'the penalty that it adds would be taken away again at the next step',
  noise: 'the noise that it adds would be taken away again at the next step',
  decay: 'it changes weights, not gradients',
  hold: 'all that it held still would come at once when it lets go',
};

/** @throws GradwareError INVALID_OPTION where there is nothing inside, nothing that changes gradients only, or error
 *  feedback */
function check(inside: GradientPlugin | undefined): void {
  if (inside === undefined)
    throw new GradwareError('INVALID_OPTION', 'error-feedback has no plugin inside', {
      remedy:
        'Give it one: errorFeedback({ compressor: topK() }), --plugin "error-feedback(top-k)".',
    });
  checkInside(inside);
}

function checkInside(plugin: GradientPlugin): void {
  const { name, role, hasFeedback, inside = [] } = plugin;
  if (hasFeedback === true)
    throw new GradwareError(
      'INVALID_OPTION',
      `error-feedback around ${name}, which has error feedback itself, would add what was lost twice`,
      { remedy: 'Use one of the two.' },
    );
  const because = (role && refused[role]) ?? whyNot(plugin);
  if (because !== undefined)
    throw new GradwareError(
      'INVALID_OPTION',
      `error-feedback cannot work around ${name}: ${because}`,
      { remedy: `Give ${name} a place of its own in the chain.` },
    );
  inside.forEach(checkInside);
}

/** What the hooks say, whatever the role. */
function whyNot(plugin: GradientPlugin): string | undefined {
  if (plugin.seed ?? plugin.transformUpdates) return 'it does more than change gradients';
  if (plugin.transform ?? plugin.encode ?? plugin.transformHost) return undefined;
  return 'it does not change gradients';
}
