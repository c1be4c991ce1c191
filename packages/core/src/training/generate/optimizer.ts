import type {
  AdamWDescription,
  OptimizerDescription,
  SgdDescription,
} from '../../artifacts/optimizer-model.js';
import { GradwareError } from '../../errors.js';

/** What optimizer_model.onnx shall do: only what ORT's training runtime has kernels for. */
export type ArtifactOptimizer =
  | 'adamw'
  | 'sgd'
  | ((({ readonly kind: 'adamw' } & Partial<AdamWDescription>) | SgdDescription) & {
      readonly clipGradNorm?: { readonly maxNorm: number } | undefined;
    });

/** What ORT's own tool writes where nothing is said: Hugging Face's form, without decay. */
const adamw: AdamWDescription = {
  kind: 'adamw',
  mode: 'huggingface',
  betas: [0.9, 0.999],
  epsilon: 1e-6,
  weightDecay: 0,
  biasCorrection: true,
};

/** @throws GradwareError INVALID_OPTION for what ORT's optimizers cannot do */
export function describeOptimizer(given: ArtifactOptimizer): OptimizerDescription {
  const named = typeof given === 'string' ? ({ kind: given } as const) : given;
  if (named.kind !== 'adamw' && named.kind !== 'sgd')
    throw new GradwareError(
      'INVALID_OPTION',
      'The artifacts can hold the optimizers adamw and sgd',
      { remedy: 'Generate them with one of these: a session trains them with any.' },
    );
  const clip = 'clipGradNorm' in named ? named.clipGradNorm : undefined;
  const clipped = clip === undefined ? {} : { clipGradNorm: clip };
  if (clip !== undefined && !(clip.maxNorm > 0)) refuse('clipGradNorm.maxNorm must be above 0');
  if (named.kind === 'sgd') return { kind: 'sgd', ...clipped };
  const full = { ...adamw, ...named };
  const [beta1, beta2] = full.betas;
  for (const beta of [beta1, beta2])
    if (!(beta >= 0 && beta < 1)) refuse(`adamw.betas must be from 0 to below 1, not ${beta}`);
  if (!(full.epsilon >= 0)) refuse(`adamw.epsilon must not be below 0, and is ${full.epsilon}`);
  if (!(full.weightDecay >= 0)) refuse('adamw.weightDecay must not be below 0');
  if (full.mode === 'torch' && !full.biasCorrection)
    refuse("AdamW in PyTorch's form needs its bias correction");
  const { mode, betas, epsilon, weightDecay, biasCorrection } = full;
  return { kind: 'adamw', mode, betas, epsilon, weightDecay, biasCorrection, ...clipped };
}

function refuse(problem: string): never {
  throw new GradwareError('INVALID_OPTION', problem);
}
