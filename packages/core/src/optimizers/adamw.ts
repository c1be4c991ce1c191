import type { Op } from '../graph/builder.js';
import type { Value } from '../graph/value.js';
import { boolean, constant, fraction, nonNegative, oneOf, setting } from '../options/options.js';
import { biasCorrections } from './bias-correction.js';
import { defineOptimizer, type OptimizerContext, perCount } from './optimizer.js';

/** Constants of the graph, not settings: 1 - β as a float32 that was β before would be off by 1e-5. */
const moments = {
  beta1: constant(fraction, 0.9, 'decay of the mean of the gradients'),
  beta2: constant(fraction, 0.999, 'decay of the mean of the squared gradients'),
  epsilon: constant(nonNegative, 1e-8, 'added to the root of the mean square'),
};

interface MomentOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019).
 *
 *      m ← β₁ m + (1 - β₁) g        v ← β₂ v + (1 - β₂) g²
 *      form 'torch' (torch.optim.AdamW; adam_mode 0 of ORT's AdamWOptimizer):
 *      Δ = -lr · λ · w - lr / (1 - β₁ᵗ) · m / (√(v / (1 - β₂ᵗ)) + ε)
 *      form 'huggingface' (transformers.AdamW; adam_mode 1, which ORT's artifacts carry):
 *      u = lr · √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε)      Δ = -u - lr · λ · (w - u)
 *
 *  State: `momentum0` (m) and `momentum1` (v), float32, as ORT's checkpoints name them. 13 passes over memory
 *  (10 on cpu), beside w + Δ. */
export const adamw = defineOptimizer({
  name: 'adamw',
  description: 'Adam with decoupled weight decay.',
  defaultLearningRate: 1e-3,
  options: {
    ...moments,
    weightDecay: setting(
      nonNegative,
      0.01,
      'share of the weights that decays, times learning rate',
    ),
    form: constant(oneOf('torch', 'huggingface'), 'torch', 'where ε and the decay stand'),
    correctBias: constant(boolean, true, 'corrects the moments for their start at zero'),
  },
  update(gradients, context, { form, correctBias, weightDecay, ...options }) {
    const { op, learningRate } = context;
    const decay = op.Mul(learningRate, weightDecay);
    const scalesFor = perCount(context, (count) => {
      const scales = scalesOf(context, count, options, form, correctBias);
      // u - λ' u + λ' w: the part that the decay takes back from the step goes into the step's own scale.
      const factor =
        form === 'torch' ? scales.step : op.Mul(scales.step, op.Sub(op.scalar(1), decay));
      return { ...scales, step: op.Neg(factor) };
    });
    return gradients.map((gradient) => {
      const { step, epsilon } = scalesFor(gradient);
      const direction = directionOf(context, gradient, epsilon, options);
      const weight = op.cast(context.parameter(gradient), 'float32');
      const update = op.Add(op.Mul(direction, step), op.Mul(weight, op.Neg(decay)));
      return op.cast(update, gradient.type);
    });
  },
});

/** AdamW whose weights do not decay, and cannot be made to: what most artifacts of ORT's tools describe. Two passes
 *  over memory less. */
export const adamwWithoutDecay = defineOptimizer({
  name: 'adamw',
  description: 'Adam as AdamW with no weight decay.',
  defaultLearningRate: 1e-3,
  options: {
    ...moments,
    form: constant(oneOf('torch', 'huggingface'), 'torch', 'where ε stands'),
    correctBias: constant(boolean, true, 'corrects the moments for their start at zero'),
  },
  update: (gradients, context, { form, correctBias, ...options }) =>
    undecayed(gradients, context, options, form, correctBias),
});

/** Adam (Kingma and Ba 2015) as torch.optim.Adam without weight decay: for that, AdamW or the plugin l2.
 *  Δ = -lr / (1 - β₁ᵗ) · m / (√(v / (1 - β₂ᵗ)) + ε); state as in AdamW. 11 passes over memory, beside w + Δ; 9 on
 *  cpu. */
export const adam = defineOptimizer({
  name: 'adam',
  description: 'Adam without weight decay.',
  defaultLearningRate: 1e-3,
  options: moments,
  update: (gradients, context, options) => undecayed(gradients, context, options, 'torch', true),
});

interface Scales {
  readonly step: Value;
  readonly epsilon: Value;
}

/** Δ = -step · m / (√v + epsilon) */
function undecayed(
  gradients: readonly Value[],
  context: OptimizerContext,
  options: MomentOptions,
  form: 'torch' | 'huggingface',
  correctBias: boolean,
): readonly Value[] {
  const { op } = context;
  const scalesFor = perCount(context, (count) => {
    const scales = scalesOf(context, count, options, form, correctBias);
    return { ...scales, step: op.Neg(scales.step) };
  });
  return gradients.map((gradient) => {
    const { step, epsilon } = scalesFor(gradient);
    const direction = directionOf(context, gradient, epsilon, options);
    return op.cast(op.Mul(direction, step), gradient.type);
  });
}

/** The scalars of Δ = -step · m / (√v + epsilon): both bias corrections are folded into them. */
function scalesOf(
  { op, learningRate }: OptimizerContext,
  count: Value,
  { beta1, beta2, epsilon }: MomentOptions,
  form: 'torch' | 'huggingface',
  correctBias: boolean,
): Scales {
  if (!correctBias) return { step: learningRate, epsilon: op.scalar(epsilon) };
  const [first, second] = biasCorrections(op, count, [beta1, beta2]);
  const root = op.Sqrt(second);
  return {
    step: op.Div(op.Mul(learningRate, root), first),
    epsilon: form === 'torch' ? op.Mul(root, epsilon) : op.scalar(epsilon),
  };
}

/** Moves both moments on; m / (√v + epsilon). */
function directionOf(
  { op, state }: OptimizerContext,
  gradient: Value,
  epsilon: Value,
  { beta1, beta2 }: MomentOptions,
): Value {
  const g = op.cast(gradient, 'float32');
  const mean = state('momentum0', { like: gradient, dtype: 'float32' });
  const square = state('momentum1', { like: gradient, dtype: 'float32' });
  const v = square.set(average(op, square.value, op.Mul(g, g), beta2));
  // Last, so that it may take the place of the gradient.
  const m = mean.set(average(op, mean.value, g, beta1));
  return op.Div(m, op.Add(op.Sqrt(v), epsilon));
}

/** β · old + (1 - β) · value: the sum first, which may take the place of the value. */
function average(op: Op, old: Value, value: Value, beta: number): Value {
  return op.Mul(op.Add(op.Mul(old, beta / (1 - beta)), value), 1 - beta);
}
