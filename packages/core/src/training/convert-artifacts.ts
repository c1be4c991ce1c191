import { modernTrainingModel } from '../artifacts/modern-training-model.js';
import { readOptimizerModel } from '../artifacts/optimizer-model.js';
import { bufferName } from '../artifacts/training-model.js';
import { optimizerModel } from '../artifacts/write-optimizer-model.js';
import { writeOrtCheckpoint } from '../artifacts/write-ort-checkpoint.js';
import { GradwareError } from '../errors.js';
import { encodeModel } from '../onnx/model.js';
import type { Runtime } from '../runtime/runtime.js';
import type { ArtifactFiles, CheckpointState } from './api.js';
import { namedFiles } from './generate/files.js';
import { evaluationForm } from './source/batch-norm.js';
import { findArtifacts } from './source/find-artifacts.js';
import { isArtifactFiles, readModel } from './source/load.js';
import { loadParameters } from './source/load-checkpoint.js';

export interface ConvertOptions {
  /** Parameters, optimizer state and properties from here instead of the set's own checkpoint. */
  readonly checkpointState?: CheckpointState | undefined;
  /** In front of the file names. Default none. */
  readonly prefix?: string | undefined;
}

export interface ConvertedArtifacts {
  readonly trainModel: Uint8Array;
  readonly checkpointState: Uint8Array;
  /** Where the set has them. */
  readonly evalModel?: Uint8Array;
  readonly optimizerModel?: Uint8Array;
  /** The same by file name, the prefix in front. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Writes training artifacts of any age and container (.onnx or .ort models; checkpoints of version 1 or 2, nominal
 *  ones, folders of .pbseq files) as ORT 1.18 and 1.19 read them: .onnx models, a checkpoint of version 2.
 *  @param given a folder, or its files
 *  @throws GradwareError for files that are not training artifacts, or not of one set */
export async function convertArtifacts(
  { files }: Runtime,
  given: string | URL | ArtifactFiles,
  { checkpointState, prefix = '' }: ConvertOptions = {},
): Promise<ConvertedArtifacts> {
  const set = isArtifactFiles(given) ? given : await findArtifacts(files, given);
  const { model: training, file } = await readModel(files, set.trainModel, 'the training model');
  const source = checkpointState ?? set.checkpointState;
  const checkpoint = await loadParameters(files, source);
  const held = new Map([...checkpoint.trainable, ...checkpoint.frozen]);
  const trainModel = modernTrainingModel(training, held.keys(), file);
  const wanted = trainModel.graph.inputs.map(({ name }) => name);
  const inputs = new Set(wanted);
  const trains = (name: string) => inputs.has(bufferName(name));
  const lacking = wanted.find((name) => trains(name) && !held.has(name));
  if (lacking !== undefined)
    throw new GradwareError('INVALID_CHECKPOINT', `The checkpoint has no parameter "${lacking}"`, {
      where: file,
      remedy: 'Use the checkpoint that was generated with this training model.',
    });
  const optimizer = set.optimizerModel
    ? await readModel(files, set.optimizerModel, 'the optimizer model')
    : undefined;
  const evaluation = set.evalModel
    ? await readModel(files, set.evalModel, 'the evaluation model')
    : undefined;
  const parameters = [...held].filter(([name]) => inputs.has(name));
  const state = writeOrtCheckpoint({
    ...checkpoint,
    trainable: new Map(parameters.filter(([name]) => trains(name))),
    frozen: new Map(parameters.filter(([name]) => !trains(name))),
  });
  const models = {
    trainModel: encodeModel(trainModel),
    ...(evaluation && { evalModel: encodeModel(evaluationForm(evaluation.model)) }),
    ...(optimizer && {
      optimizerModel: encodeModel(
        optimizerModel(readOptimizerModel(optimizer.model, optimizer.file)),
      ),
    }),
  };
  const role = checkpoint.nominal ? 'nominalCheckpointState' : 'checkpointState';
  return {
    ...models,
    checkpointState: state,
    files: namedFiles({ ...models, [role]: state }, prefix),
  };
}
