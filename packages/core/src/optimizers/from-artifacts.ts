import type { OptimizerDescription } from '../artifacts/optimizer-model.js';
import type { Op } from '../graph/builder.js';
import type { Value } from '../graph/value.js';
import { adamw, adamwWithoutDecay } from './adamw.js';
import type { Optimizer } from './optimizer.js';
import { sgd } from './sgd.js';

/** What ORT's training API starts with, whatever the optimizer. */
const defaultLearningRate = 1e-3;

/** The optimizer that an optimizer_model.onnx describes, clipping of the gradients included.
 *  @throws GradwareError INVALID_OPTION for attributes out of range */
export function optimizerFromArtifacts(description: OptimizerDescription): Optimizer {
  const optimizer = { ...createOptimizer(description), defaultLearningRate };
  const { clipGradNorm } = description;
  if (clipGradNorm === undefined) return optimizer;
  return {
    ...optimizer,
    prepare: (gradients, op) => clipByNorm(op, gradients, clipGradNorm.maxNorm),
  };
}

function createOptimizer(description: OptimizerDescription): Optimizer {
  if (description.kind === 'sgd') return sgd();
  const { mode, betas, epsilon, weightDecay, biasCorrection } = description;
  const [beta1, beta2] = betas;
  const settings = { beta1, beta2, epsilon, form: mode, correctBias: biasCorrection };
  return weightDecay === 0 ? adamwWithoutDecay(settings) : adamw({ ...settings, weightDecay });
}

/** InplaceClipGradNorm: g · min(1, maxNorm / (‖g‖ + 1e-6)). NaN stays NaN, as `Min` would not keep it everywhere. */
function clipByNorm(op: Op, gradients: readonly Value[], maxNorm: number): readonly Value[] {
  const scale = op.Div(op.scalar(maxNorm), op.Add(op.globalNorm(gradients), 1e-6));
  const limited = op.Where(op.GreaterOrEqual(scale, 1), 1, scale);
  return gradients.map((gradient) => op.Mul(gradient, op.cast(limited, gradient.type)));
}
