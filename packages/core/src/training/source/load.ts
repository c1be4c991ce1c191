import { GradwareError } from '../../errors.js';
import { checkStraightThrough } from '../../gradients/rules/straight-through.js';
import type { ShapeOracle } from '../../graph/infer.js';
import { crossEntropy, lossByName } from '../../losses/index.js';
import { decodeOnnxModel } from '../../onnx/decode-model.js';
import type { Model } from '../../onnx/ir.js';
import { subgraphs } from '../../onnx/names.js';
import { isOrtModel } from '../../onnx/ort-format/identifier.js';
import type { FileAccess } from '../../runtime/runtime.js';
import type { ArtifactFiles, Source, TrainingOptions } from '../api.js';
import { isSource, readSource } from '../read-source.js';
import { checkBatchNormMode } from './batch-norm.js';
import { weightsAsInitializers } from './constant-weights.js';
import type { ModelSource } from './source.js';
import type { Kinds } from './trainable.js';

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
  ) {
    const { findArtifacts } = await import('./find-artifacts.js');
    return loadArtifacts(files, await findArtifacts(files, given), options, oracle);
  }
  const { model, file, kinds, traces } = await readForwardModel(files, given);
  if (isTrainingModel(model))
    throw new GradwareError('INVALID_MODEL', 'This is a training model: it needs its checkpoint', {
      where: file,
      remedy:
        'Give the folder of the artifacts, or { checkpointState, trainModel, evalModel, optimizerModel }.',
    });
  const { loss = crossEntropy() } = options;
  // A page that comes through one door does without the other.
  const { forwardSource } = await import('./source-forward.js');
  return forwardSource(
    {
      model,
      file,
      kinds,
      traces,
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
  if (!isSource(given) && !isSource((given as Partial<ArtifactFiles> | null)?.trainModel))
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
): Promise<{ readonly model: Model; readonly file: string; readonly bytes: Uint8Array }> {
  const { bytes, file } = await readSource(files, source, title);
  const path = source instanceof Uint8Array || source instanceof ArrayBuffer ? undefined : source;
  const externalData = path && ((location: string) => files.readBeside(path, location));
  // Few pages read ONNX Runtime's own format: what it needs is loaded then.
  const decode = isOrtModel(bytes)
    ? (await import('../../onnx/decode-any-model.js')).decodeModel
    : decodeOnnxModel;
  return { model: decode(bytes, { file, ...(externalData && { externalData }) }), file, bytes };
}

/** A model to be differentiated, with its weights as initializers of its own graph, and what the export did to it. */
export interface ReadForward {
  readonly model: Model;
  readonly file: string;
  readonly kinds?: Kinds;
  /** Warnings of what was lost in the export. */
  readonly traces?: readonly string[];
}

export async function readForwardModel(files: FileAccess, source: Source): Promise<ReadForward> {
  const { model: given, file, bytes } = await readModel(files, source, 'the model');
  const model = weightsAsInitializers(given);
  // Few models hold weights there.
  if (model.functions.length > 0 || model.graph.nodes.some((node) => subgraphs(node).length > 0)) {
    const { withWeightsOutside } = await import('./nested-weights.js');
    return withNotes(withWeightsOutside(model), file, bytes);
  }
  return withNotes(model, file, bytes);
}

/** Exporters that merge, fold and note are those of PyTorch and TensorFlow. */
async function withNotes(model: Model, file: string, bytes: Uint8Array): Promise<ReadForward> {
  if (!/^(pytorch|tf2onnx)$/.test(model.producer)) return { model, file };
  const { undoExport } = await import('./torch-export/undo.js');
  return { file, ...undoExport(model, isOrtModel(bytes) ? new Uint8Array() : bytes) };
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
  const { readOptimizerModel } = await import('../../artifacts/optimizer-model.js');
  const { artifactSource } = await import('./source-artifacts.js');
  const { loadParameters } = await import('./load-checkpoint.js');
  return artifactSource(
    {
      training,
      file,
      checkpoint: await loadParameters(files, given.checkpointState),
      evaluation: evaluation || undefined,
      optimizer: optimizer ? readOptimizerModel(optimizer.model, optimizer.file) : undefined,
    },
    oracle,
  );
}
