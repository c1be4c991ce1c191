import { readCheckpoint } from '../artifacts/checkpoint.js';
import { readOptimizerModel } from '../artifacts/optimizer-model.js';
import type { Checkpoint } from '../artifacts/ort-checkpoint.js';
import { GradwareError } from '../errors.js';
import { checkStraightThrough } from '../gradients/rules/straight-through.js';
import type { ShapeOracle } from '../graph/infer.js';
import { crossEntropy, lossByName } from '../losses/index.js';
import { decodeModel } from '../onnx/decode-model.js';
import type { Model, TensorData } from '../onnx/ir.js';
import type { FileAccess } from '../runtime/runtime.js';
import type { ArtifactFiles, Source, TrainingOptions } from './api.js';
import { checkBatchNormMode } from './batch-norm.js';
import { readSource } from './read-source.js';
import type { ModelSource } from './source.js';
import { artifactSource } from './source-artifacts.js';
import { forwardSource } from './source-forward.js';

/** What can be trained: a folder of artifacts, the artifact files one by one, or a forward model. */
export type Trainable = Source | ArtifactFiles;

/** Loads what is to be trained, through whichever door it comes.
 *  @throws GradwareError FILE, INVALID_MODEL, INVALID_CHECKPOINT */
export async function loadSource(
  files: FileAccess,
  given: Trainable,
  options: TrainingOptions,
  oracle: ShapeOracle,
): Promise<ModelSource> {
  requireTrainable(given);
  if (isArtifactFiles(given)) return loadArtifacts(files, given, options, oracle);
  if (
    !(given instanceof Uint8Array) &&
    !(given instanceof ArrayBuffer) &&
    (await files.isFolder(given))
  )
    return loadArtifacts(files, await findArtifacts(files, given), options, oracle);
  const { model, file } = await readModel(files, given, 'the model');
  if (isTrainingModel(model))
    throw new GradwareError('INVALID_MODEL', 'This is a training model: it needs its checkpoint', {
      where: file,
      remedy:
        'Give the folder of the artifacts, or { checkpointState, trainModel, evalModel, optimizerModel }.',
    });
  const { loss = crossEntropy() } = options;
  return forwardSource(
    {
      model,
      file,
      loss: typeof loss === 'string' ? lossByName(loss) : loss,
      lossInputNames: options.lossInputNames,
      requiresGrad: options.requiresGrad,
      frozenParams: options.frozenParams,
      additionalOutputNames: options.additionalOutputNames,
      batchNorm: checkBatchNormMode(options.batchNorm),
      straightThrough: checkStraightThrough(options.straightThrough),
    },
    oracle,
  );
}

const ofForwardModels = [
  'loss',
  'lossInputNames',
  'requiresGrad',
  'frozenParams',
  'additionalOutputNames',
  'batchNorm',
  'straightThrough',
] as const;

/** @throws GradwareError INVALID_OPTION for what artifacts have decided already: to ignore it would train
 *  something else than was asked for */
function refuseForwardOptions(options: TrainingOptions): void {
  for (const name of ofForwardModels)
    if (options[name] !== undefined)
      throw new GradwareError(
        'INVALID_OPTION',
        `${name} is for forward models: training artifacts have it built in`,
        { remedy: 'Make the artifacts anew, or give the forward model itself.' },
      );
}

export function isArtifactFiles(given: Trainable): given is ArtifactFiles {
  return typeof given === 'object' && 'trainModel' in given;
}

/** JavaScript passes anything. */
function requireTrainable(given: unknown): void {
  const known =
    typeof given === 'string' ||
    given instanceof URL ||
    given instanceof Uint8Array ||
    given instanceof ArrayBuffer ||
    (typeof given === 'object' && given !== null && 'trainModel' in given);
  if (!known)
    throw new GradwareError('INVALID_OPTION', `There is no model in ${String(given)}`, {
      remedy:
        'Give a path, a URL, the bytes of a model, or { checkpointState, trainModel, evalModel, optimizerModel }.',
    });
}

function isTrainingModel({ graph }: Model): boolean {
  return (
    graph.inputs.some(({ name }) => name === 'lazy_reset_grad') ||
    graph.nodes.some(({ opType }) => opType.startsWith('InPlaceAccumulator'))
  );
}

export async function readModel(
  files: FileAccess,
  source: Source,
  title: string,
): Promise<{ readonly model: Model; readonly file: string }> {
  const { bytes, file } = await readSource(files, source, title);
  const path = source instanceof Uint8Array || source instanceof ArrayBuffer ? undefined : source;
  const externalData = path && ((location: string) => files.readBeside(path, location));
  return { model: decodeModel(bytes, { file, ...(externalData && { externalData }) }), file };
}

const roles = {
  trainModel: /training(_model)?\.onnx$/,
  evalModel: /eval(_model)?\.onnx$/,
  optimizerModel: /(optimizer(_model)?|adamw)\.onnx$/,
  checkpointState: /^(?!nominal).*(checkpoint|\.ckpt)$/,
} as const;

/** Finds the artifact files in a folder by the names that ORT's tools give them, with a prefix or without.
 *  @throws GradwareError FILE where one is missing, or two could be meant */
export async function findArtifacts(
  files: FileAccess,
  folder: string | URL,
): Promise<ArtifactFiles> {
  const names = await files.list(folder);
  const find = (role: keyof typeof roles, required: boolean): string | undefined => {
    const found = names.filter((name) => roles[role].test(name));
    const [only, second] = found;
    if (second !== undefined)
      throw new GradwareError(
        'FILE',
        `The folder has several files that could be the ${role}: ${found.join(', ')}`,
        {
          where: String(folder),
          remedy: 'Name the files: { checkpointState, trainModel, evalModel, optimizerModel }.',
        },
      );
    if (only !== undefined) return files.join(folder, only);
    if (!required) return undefined;
    throw new GradwareError('FILE', `The folder has no ${role}`, {
      where: String(folder),
      remedy: `It should hold training_model.onnx, eval_model.onnx, optimizer_model.onnx and checkpoint; it holds ${names.join(', ') || 'nothing'}.${names.some((name) => name.endsWith('.ort')) ? ' The .ort form of artifacts is not read: give the .onnx files.' : ''}`,
    });
  };
  const trainModel = find('trainModel', true) as string;
  const checkpointState = find('checkpointState', true) as string;
  return {
    trainModel,
    checkpointState,
    evalModel: find('evalModel', false),
    optimizerModel: find('optimizerModel', false),
  };
}

async function loadArtifacts(
  files: FileAccess,
  given: ArtifactFiles,
  options: TrainingOptions,
  oracle: ShapeOracle,
): Promise<ModelSource> {
  refuseForwardOptions(options);
  const { model: training, file } = await readModel(files, given.trainModel, 'the training model');
  const evaluation =
    given.evalModel && (await readModel(files, given.evalModel, 'the evaluation model')).model;
  const optimizer =
    given.optimizerModel && (await readModel(files, given.optimizerModel, 'the optimizer model'));
  return artifactSource(
    {
      training,
      file,
      checkpoint: await loadCheckpointFile(files, given.checkpointState),
      evaluation: evaluation || undefined,
      optimizer: optimizer ? readOptimizerModel(optimizer.model, optimizer.file) : undefined,
    },
    oracle,
  );
}

export async function loadCheckpointFile(files: FileAccess, source: Source): Promise<Checkpoint> {
  const { bytes, file } = await readSource(files, source, 'the checkpoint');
  const data = typeof source === 'string' ? source.split(/[\\/]/).at(-1) : undefined;
  const externalData =
    typeof source === 'string' &&
    data !== undefined &&
    (await beside(files, source, `${data}.data`));
  const read = readCheckpoint(bytes, { file, ...(externalData ? { externalData } : {}) });
  if (read.format === 'ort') return read.checkpoint;
  // Gradware's own: the parameters; the rest of the state is for loadCheckpoint.
  const parameters = new Map<string, TensorData>();
  for (const [key, tensor] of read.state.tensors) {
    const name = /^(?:parameter|statistic)\/(.+)$/s.exec(key)?.[1];
    if (name !== undefined) parameters.set(name, tensor);
  }
  return { trainable: parameters, frozen: new Map(), nominal: false, properties: new Map() };
}

async function beside(
  files: FileAccess,
  path: string,
  name: string,
): Promise<Uint8Array | undefined> {
  try {
    return files.readBeside(path, name);
  } catch {
    // There is none: most checkpoints hold their values themselves. One that should have it is refused when read.
    return undefined;
  }
}
