import { type EvaluationOptions, GradwareError } from '@gradware/core';
import type { TrainingSession } from '@gradware/core/node';
import { thresholdOf } from '../options/loss.js';
import type { SessionFlags } from '../options/shared.js';

/** What an evaluation compares with what. */
export function judging(
  { label, loss, lossInput }: Pick<SessionFlags, 'label' | 'loss' | 'lossInput'>,
  { trainingInputNames }: Pick<TrainingSession, 'trainingInputNames'>,
): Pick<EvaluationOptions, 'labels' | 'threshold'> {
  // What goes to the loss is then not what the model gives.
  const threshold = lossInput === undefined ? thresholdOf(loss) : undefined;
  const last = trainingInputNames.at(-1);
  // `labels` is what losses over classes call their input.
  const named = label !== undefined || threshold !== undefined || last === 'labels';
  return { labels: named ? last : undefined, threshold };
}

/** What a model that is made for one batch size leaves out of an evaluation.
 *  @returns a warning, where that is something
 *  @throws GradwareError INVALID_DATA where that is everything */
export function leftOut(
  examples: number,
  { batchSize, dropLast }: Pick<EvaluationOptions, 'batchSize' | 'dropLast'>,
): string | undefined {
  if (batchSize === undefined || dropLast !== true) return undefined;
  if (examples < batchSize)
    throw new GradwareError(
      'INVALID_DATA',
      `The model is made for batches of ${batchSize}, and there are ${examples} examples to evaluate`,
      { remedy: 'Give more of them, or export the model with a dynamic first axis.' },
    );
  const left = examples % batchSize;
  if (left === 0) return undefined;
  return `the model is made for batches of ${batchSize}: the last ${left} of ${examples} examples are left out of the evaluation`;
}
