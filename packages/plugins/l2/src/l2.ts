import { definePlugin, nonNegative, setting } from '@gradware/core';

/** Adds the gradient of an L2 penalty λ/2 · ‖w‖² to every gradient.
 *  g ← g + λ · w   (Tikhonov; as weight_decay of torch.optim.SGD and torch.optim.Adam, and as
 *  optax.add_decayed_weights before the optimizer)
 *  With an adaptive optimizer this is not decoupled weight decay: for that, use the optimizer's own. */
export const l2 = definePlugin({
  name: 'l2',
  description: 'Adds the gradient of an L2 penalty on the weights.',
  role: 'regularise',
  options: { lambda: setting(nonNegative, 1e-4, 'strength of the penalty') },
  transform: (gradients, { op, parameter }, { lambda }) =>
    gradients.map((gradient) =>
      op.Add(gradient, op.Mul(parameter(gradient), op.cast(lambda, gradient.type))),
    ),
});
