import { boolean, constant, definePlugin, nonNegative, setting } from '@gradware/core';

/** Decays the weights apart from the gradients: the optimizer neither sees the decay nor scales it.
 *  Δ ← Δ - η · λ · w with the learning rate η; Δ ← Δ - λ · w where `scaled` is false
 *  (Loshchilov and Hutter 2019; as weight_decay of torch.optim.AdamW) */
export const weightDecay = definePlugin({
  name: 'weight-decay',
  description: 'Decays the weights apart from the gradients (decoupled weight decay).',
  role: 'decay',
  options: {
    lambda: setting(nonNegative, 0.01, 'how fast weights decay'),
    scaled: constant(boolean, true, 'multiplies lambda by the learning rate, as PyTorch does'),
  },
  transformUpdates: (updates, { op, parameter, learningRateOf }, { lambda, scaled }) =>
    updates.map((update) => {
      const part = scaled ? op.Mul(learningRateOf(update), lambda) : lambda;
      return op.Add(update, op.Mul(parameter(update), op.cast(op.Neg(part), update.type)));
    }),
});
