import { GradwareError } from '../errors.js';
import { boolean, constant, finite, fraction, nonNegative, setting } from '../options/options.js';
import { defineOptimizer, perCount } from './optimizer.js';

/** Stochastic gradient descent as torch.optim.SGD.
 *
 *      g ← g + λ w                              with weightDecay
 *      b ← μ b + (1 - dampening) g              with momentum; at the first step b = g, undampened
 *      Δ = -lr · g, -lr · b, or with nesterov -lr · (g + μ b)
 *
 *  What is not given costs nothing. State: `momentum0` (b) where there is a momentum. One pass over memory, two more
 *  for momentum, two for nesterov, two for weight decay. */
export const sgd = defineOptimizer({
  name: 'sgd',
  description: 'Stochastic gradient descent, with momentum where it is given.',
  defaultLearningRate: 1e-2,
  options: {
    momentum: setting(fraction, undefined, 'share of the last update that is kept'),
    dampening: setting(finite, undefined, 'share of the gradient that momentum leaves out'),
    nesterov: constant(boolean, false, 'looks ahead along the momentum'),
    weightDecay: setting(nonNegative, undefined, 'λ of an L2 penalty, added to the gradient'),
  },
  validate({ nesterov }, { momentum, dampening = 0 }) {
    const refuse = (problem: string): never => {
      throw new GradwareError('INVALID_OPTION', problem);
    };
    if (nesterov === true && (momentum === undefined || momentum === 0))
      refuse('sgd.nesterov needs a momentum above 0');
    if (nesterov === true && dampening !== 0) refuse('sgd.nesterov needs a dampening of 0');
    if (momentum === undefined && dampening !== 0) refuse('sgd.dampening needs a momentum');
  },
  update(gradients, context, { momentum, dampening, nesterov, weightDecay }) {
    const { op, learningRate, parameter, state } = context;
    const factor = op.Neg(learningRate);
    const shareFor =
      dampening &&
      perCount(context, (count) =>
        op.Where(op.Equal(count, 1), 1, op.Sub(op.scalar(1), dampening)),
      );
    return gradients.map((gradient) => {
      const raw = op.cast(gradient, 'float32');
      const weight = weightDecay && op.cast(parameter(gradient), 'float32');
      const g = weight ? op.Add(raw, op.Mul(weight, weightDecay)) : raw;
      let direction = g;
      if (momentum !== undefined) {
        const buffer = state('momentum0', { like: gradient, dtype: 'float32' });
        const fresh = shareFor ? op.Mul(g, shareFor(gradient)) : g;
        const b = buffer.set(op.Add(op.Mul(buffer.value, momentum), fresh));
        direction = nesterov ? op.Add(g, op.Mul(b, momentum)) : b;
      }
      return op.cast(op.Mul(direction, factor), gradient.type);
    });
  },
});
