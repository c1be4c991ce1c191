import {
  decodeSafetensors,
  encodeSafetensors,
  isSafetensors,
} from '../../artifacts/safetensors.js';
import { GradwareError } from '../../errors.js';
import { sameShape } from '../../graph/value.js';
import { convertFloats, isFloatType } from '../../onnx/convert-floats.js';
import type { TensorData } from '../../onnx/ir.js';
import { nearest } from '../../options/nearest.js';
import type { FileAccess, Runtime } from '../../runtime/runtime.js';
import { fromTensor } from '../../runtime/tensors.js';
import type { CheckpointState, TrainingSession } from '../api.js';
import type { ParameterAccess } from '../execution/parameters.js';
import { isSource, readSource } from '../read-source.js';
import type { ModelSource } from '../source/source.js';
import type { Queue } from './queue.js';

interface WeightParts {
  readonly runtime: Runtime;
  readonly source: ModelSource;
  readonly parameters: ParameterAccess;
  readonly queue: Pick<Queue, 'add'>;
}

/** What tools of the PyTorch world look for before they read a safetensors file. */
const usualMetadata = { format: 'pt' } as const;

/** Weights by name, without anything else of a checkpoint. */
export function weightAccess({
  runtime,
  source,
  parameters,
  queue,
}: WeightParts): Pick<TrainingSession, 'exportWeights' | 'importWeights'> {
  return {
    exportWeights: ({ trainableOnly = false, type, metadata = {} } = {}) =>
      queue.add(async () => {
        parameters.demandValues();
        if (type !== undefined) checkType(type);
        const names = trainableOnly ? source.trainable : [...source.parameters.keys()];
        const tensors = new Map(
          names.map((name) => {
            const tensor = fromTensor(parameters.get(name));
            return [name, type === undefined ? tensor : convertFloats(tensor, type)] as const;
          }),
        );
        return encodeSafetensors({ tensors, metadata: { ...usualMetadata, ...metadata } });
      }),
    importWeights: (from, { strict = true } = {}) =>
      queue.add(async () => {
        const { tensors, file } = await readWeights(runtime.files, from);
        const loaded = new Map<string, TensorData>();
        for (const [name, wanted] of source.parameters) {
          const given = tensors.get(name);
          if (given !== undefined) loaded.set(name, fitted(name, given, wanted, file));
        }
        const missing = [...source.parameters.keys()].filter((name) => !loaded.has(name));
        const unexpected = [...tensors.keys()].filter((name) => !loaded.has(name));
        if (strict || loaded.size === 0) refuseMisfits(missing, unexpected, file);
        parameters.setAll(loaded);
        return { loaded: [...loaded.keys()], missing, unexpected };
      }),
  };
}

function checkType(type: string): void {
  if (isFloatType(type)) return;
  throw new GradwareError('INVALID_OPTION', `Weights cannot be written as ${type}`, {
    remedy: 'There are float32, float64, float16 and bfloat16.',
  });
}

/** The tensors of a safetensors file, or the parameters of a checkpoint of any kind.
 *  @throws GradwareError FILE, INVALID_CHECKPOINT */
async function readWeights(
  files: FileAccess,
  from: CheckpointState,
): Promise<{ readonly tensors: ReadonlyMap<string, TensorData>; readonly file: string }> {
  const isFile = isSource(from) && !(await isFolder(files, from));
  if (isFile) {
    const { bytes, file } = await readSource(files, from, 'the weights');
    const plain = isSafetensors(bytes) ? decodeSafetensors(bytes, file) : undefined;
    if (plain !== undefined && plain.metadata.format !== 'gradware')
      return { tensors: plain.tensors, file };
  }
  const file = typeof from === 'string' ? from : 'the weights';
  const { loadParameters } = await import('../source/load-checkpoint.js');
  const { trainable, frozen, nominal } = await loadParameters(files, from);
  if (nominal)
    throw new GradwareError('INVALID_CHECKPOINT', 'A nominal checkpoint has no values to load', {
      where: file,
    });
  return { tensors: new Map([...trainable, ...frozen]), file };
}

async function isFolder(files: FileAccess, from: CheckpointState): Promise<boolean> {
  return (typeof from === 'string' || from instanceof URL) && files.isFolder(from);
}

/** A weight as the model wants it: of another floating-point type, it is converted. */
function fitted(name: string, given: TensorData, wanted: TensorData, file: string): TensorData {
  const converts = isFloatType(given.type) && isFloatType(wanted.type);
  if ((given.type === wanted.type || converts) && sameShape(given.dims, wanted.dims))
    return converts ? convertFloats(given, wanted.type) : given;
  throw new GradwareError(
    'INVALID_CHECKPOINT',
    `"${name}" is ${given.type}[${given.dims}] there, and the model has ${wanted.type}[${wanted.dims}]`,
    {
      where: file,
      remedy: 'Use weights of this very model; names, shapes and order of axes count.',
    },
  );
}

/** A few names, and how many more there are. */
function few(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

function refuseMisfits(
  missing: readonly string[],
  unexpected: readonly string[],
  file: string,
): void {
  const problems = [
    ...(missing.length > 0 ? [`${few(missing)} of the model are not there`] : []),
    ...(unexpected.length > 0 ? [`${few(unexpected)} are not in the model`] : []),
  ];
  if (problems.length === 0) return;
  const [first] = unexpected;
  const near = first === undefined ? [] : nearest(first, missing, 1);
  throw new GradwareError('INVALID_CHECKPOINT', `The weights do not fit: ${problems.join('; ')}`, {
    where: file,
    remedy: `${near.length > 0 ? `Is "${first}" meant for "${near[0]}"? ` : ''}Rename them, or take what fits by name: strict: false.`,
  });
}
