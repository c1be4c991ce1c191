import {
  type Evaluation,
  type Feeds,
  GradwareError,
  type Position,
  type TrainerOptions,
  train,
} from '@gradware/core';
import type { TrainingSession } from '@gradware/core/node';
import { batches } from '@gradware/data/node';
import type { Reporter } from '../progress/reporter.js';
import { checkpointFile, modelFile, writeOutput } from './output-folder.js';
import { type RunRecord, writeRecord } from './run-record.js';

export interface TrainRun {
  readonly session: TrainingSession;
  readonly data: Feeds;
  readonly validation: TrainerOptions['validation'];
  /** How well the model does before the first step. */
  readonly before: Evaluation | undefined;
  readonly epochs: number;
  /** Where the run starts, and what it is. */
  readonly record: RunRecord;
  /** The checkpoint that the session was restored from. */
  readonly resumedFrom: string | undefined;
  readonly dropLast: boolean;
  readonly out: string;
  /** Steps between two checkpoints inside an epoch; there is always one at its end. */
  readonly checkpointEvery: number | undefined;
  readonly reporter: Reporter;
  readonly learningRate: (step: number) => number;
  readonly signal: AbortSignal;
}

export interface Finished {
  readonly status: 'completed' | 'stopped';
  readonly checkpoint: string | undefined;
  readonly model: string | undefined;
  readonly validation: Evaluation | undefined;
}

/** Trains, and keeps what was reached: a checkpoint after each epoch, and where the user stops; the model at the end.
 *  @throws GradwareError NONFINITE_LOSS or STOPPED, saying which checkpoint is the last good one */
export async function runTraining(run: TrainRun): Promise<Finished> {
  const { session, record, out, epochs, reporter } = run;
  let checkpoint = run.resumedFrom;
  let savedAt = session.stepCount;
  let position = record.position;
  let validation = run.before;

  async function save(next: Position): Promise<string> {
    const bytes = await session.checkpoint({
      metadata: writeRecord({ ...record, position: next }),
    });
    checkpoint = await writeOutput(out, checkpointFile, bytes);
    savedAt = session.stepCount;
    return checkpoint;
  }

  const events = train(session, {
    data: run.data,
    order: (epoch) => orderOf(run, epoch),
    epochs,
    start: position,
    validation: run.validation,
    signal: run.signal,
  });
  try {
    for await (const event of events) {
      if (event.type === 'steps') {
        position = event.position;
        reporter.steps(event, run.learningRate);
        if (event.step - savedAt >= (run.checkpointEvery ?? Number.POSITIVE_INFINITY))
          await save(position);
        continue;
      }
      validation = event.validation;
      position = { epoch: event.epoch + 1, batch: 0 };
      reporter.epoch(event, await save(position));
    }
  } catch (error) {
    if (!run.signal.aborted) throw withCheckpoint(error, checkpoint);
    // Between two runs the session is whole: what was reached since the last checkpoint need not be lost.
    if (session.stepCount > savedAt) await save(position);
    return { status: 'stopped', checkpoint, model: undefined, validation };
  }
  // Artifacts may come without the model for evaluation, which is what the trained one is made of.
  const exports = session.evalOutputNames.length > 0;
  const model = exports
    ? await writeOutput(out, modelFile, await session.exportModel())
    : undefined;
  return { status: 'completed', checkpoint, model, validation };
}

function orderOf({ record, dropLast }: TrainRun, epoch: number): Iterable<Int32Array> {
  const { examples: length, batchSize, seed } = record;
  return batches({ length, batchSize, seed, epoch, shuffle: true, dropLast });
}

/** After these the last checkpoint is what to go on from. */
const endsTraining: ReadonlySet<string> = new Set(['NONFINITE_LOSS', 'STOPPED']);

function withCheckpoint(error: unknown, checkpoint: string | undefined): unknown {
  if (!(error instanceof GradwareError) || !endsTraining.has(error.code)) return error;
  const kept =
    checkpoint === undefined
      ? 'No checkpoint was written before.'
      : `The last good checkpoint is ${checkpoint}.`;
  const [problem = error.message] = error.message.split('\n  → ');
  return new GradwareError(error.code, problem, {
    remedy: [error.remedy, kept].filter((text) => text !== undefined).join(' '),
    cause: error,
  });
}
