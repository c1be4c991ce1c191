import { type EvaluationOptions, GradwareError } from '@gradware/core';
import type { TrainingSession } from '@gradware/core/node';

export interface BatchSize {
  readonly batchSize: number;
  /** Whether a last, smaller batch is left out. */
  readonly dropLast: boolean;
  /** The same for evaluation, which has its own way where the model leaves it open. */
  readonly evaluation: Pick<EvaluationOptions, 'batchSize' | 'dropLast'>;
}

const usual = 32;

/** How many examples go into a step: what is asked for, else what the model is made for.
 *  @throws GradwareError INVALID_OPTION where the model is made for another number */
export function chooseBatchSize(
  asked: number | undefined,
  { trainingInputs, provider }: Pick<TrainingSession, 'trainingInputs' | 'provider'>,
): BatchSize {
  const fixed = trainingInputs
    .map(({ shape }) => shape?.[0])
    .find((dim) => typeof dim === 'number');
  // Every size is compiled apart, which takes long on webgpu.
  if (typeof fixed !== 'number')
    return { batchSize: asked ?? usual, dropLast: provider === 'webgpu', evaluation: {} };
  const decided = { batchSize: fixed, dropLast: true };
  if (asked === undefined || asked === fixed) return { ...decided, evaluation: decided };
  throw new GradwareError('INVALID_OPTION', `The model is made for batches of ${fixed}`, {
    where: `--batch-size ${asked}`,
    remedy: `Leave --batch-size out, or export the model with a dynamic first axis.`,
  });
}
