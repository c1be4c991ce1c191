import { isAbsolute, relative } from 'node:path';
import type { Feeds, TrainerOptions } from '@gradware/core';
import type { TrainingSession } from '@gradware/core/node';
import { batchCount, type Dataset, split } from '@gradware/data/node';
import type { TrainFlags } from '../options/train-flags.js';
import { chooseBatchSize } from './batch-size.js';
import { type Classes, readChecked, toFeeds } from './inputs.js';
import { judging, leftOut } from './judging.js';
import type { RunRecord } from './run-record.js';

export interface RunData {
  readonly data: Feeds;
  readonly examples: number;
  readonly classes: Classes;
  readonly validation: TrainerOptions['validation'];
  readonly batchSize: number;
  readonly dropLast: boolean;
  readonly stepsPerEpoch: number;
  /** What is not evaluated, and why. */
  readonly leftOut: string | undefined;
}

/** Which data a run takes, and in what portions. */
export async function planRun(
  session: TrainingSession,
  flags: TrainFlags,
  signal: AbortSignal,
): Promise<RunData> {
  const { batchSize, dropLast, evaluation } = chooseBatchSize(flags.batchSize, session);
  const { training, validation, classes } = await loadData(
    { ...flags, batchSize, signal },
    session,
  );
  return {
    data: toFeeds(training),
    examples: training.length,
    classes,
    validation: validation && {
      data: toFeeds(validation),
      ...judging(flags, session),
      signal,
      ...evaluation,
    },
    leftOut: validation && leftOut(validation.length, evaluation),
    batchSize,
    dropLast,
    stepsPerEpoch: batchCount({ length: training.length, batchSize, dropLast }),
  };
}

async function loadData(
  flags: TrainFlags & { readonly signal: AbortSignal },
  session: TrainingSession,
): Promise<{
  readonly training: Dataset;
  readonly validation: Dataset | undefined;
  readonly classes: Classes;
}> {
  const { data, classes } = await readChecked(flags.data, session, flags);
  if (typeof flags.val === 'number') {
    const { train: training, heldOut: validation } = split(data, flags.val, flags.seed);
    return { training, validation, classes };
  }
  if (flags.val === undefined) return { training: data, validation: undefined, classes };
  const validation = await readChecked(flags.val, session, flags, classes);
  return { training: data, validation: validation.data, classes };
}

/** What a checkpoint of the run says of it, before the first step.
 *  @param artifacts the folder that is trained, where it is one */
export function describeRun(
  flags: TrainFlags,
  { examples, batchSize, classes }: RunData,
  artifacts: string | undefined,
): RunRecord {
  const { optimizer, schedule, plugin, precision, group, seed } = flags;
  const { input, label, scale, loss, lossInput } = flags;
  // On another drive no way leads from one to the other; and where things lie on this machine is not for a checkpoint.
  const way = artifacts === undefined ? undefined : relative(flags.out, artifacts);
  return {
    position: { epoch: 0, batch: 0 },
    seed,
    batchSize,
    examples,
    ...(Object.keys(classes).length > 0 && { classes }),
    reading: {
      input,
      scale,
      ...(label !== undefined && { label }),
      ...(loss !== undefined && { loss }),
      ...(lossInput !== undefined && { lossInput }),
      ...(way !== undefined && !isAbsolute(way) && { artifacts: way }),
    },
    settings: {
      ...(loss !== undefined && { '--loss': loss }),
      ...(optimizer.length > 0 && { '--optimizer': optimizer.join(' ') }),
      ...(schedule !== undefined && { '--schedule': schedule }),
      ...(plugin.length > 0 && { '--plugin': plugin.join(' ') }),
      ...(precision !== 'float32' && { '--precision': precision }),
      ...(group.length > 0 && { '--group': group.join(' ') }),
    },
  };
}
