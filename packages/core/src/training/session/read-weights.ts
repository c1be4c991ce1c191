import { decodeSafetensors, isSafetensors } from '../../artifacts/safetensors.js';
import { GradwareError } from '../../errors.js';
import { sameShape } from '../../graph/value.js';
import { convertFloats } from '../../onnx/convert-floats.js';
import { isFloatType } from '../../onnx/element-types.js';
import type { TensorData } from '../../onnx/ir.js';
import { nearest } from '../../options/nearest.js';
import type { FileAccess } from '../../runtime/runtime.js';
import type { CheckpointState } from '../api.js';
import { isSource, readSource } from '../read-source.js';
import { loadParameters } from '../source/load-checkpoint.js';
import type { ModelSource } from '../source/source.js';

interface ReadWeights {
  /** Those of the model's parameters that are there, of its types. */
  readonly loaded: ReadonlyMap<string, TensorData>;
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
}

/** Weights for a model's parameters, by name.
 *  @param strict whether all names have to be the same
 *  @throws GradwareError FILE, INVALID_CHECKPOINT */
export async function readWeights(
  files: FileAccess,
  from: CheckpointState,
  { parameters }: Pick<ModelSource, 'parameters'>,
  strict: boolean,
): Promise<ReadWeights> {
  const { tensors, file } = await readTensors(files, from);
  const loaded = new Map<string, TensorData>();
  for (const [name, wanted] of parameters) {
    const given = tensors.get(name);
    if (given !== undefined) loaded.set(name, fitted(name, given, wanted, file));
  }
  const missing = [...parameters.keys()].filter((name) => !loaded.has(name));
  const unexpected = [...tensors.keys()].filter((name) => !loaded.has(name));
  if (strict || loaded.size === 0) refuseMisfits(missing, unexpected, file);
  return { loaded, missing, unexpected };
}

/** The tensors of a safetensors file, or the parameters of a checkpoint of any kind.
 *  @throws GradwareError FILE, INVALID_CHECKPOINT */
async function readTensors(
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
  const { trainable, frozen, nominal } = await loadParameters(files, from);
  if (nominal)
    throw new GradwareError('INVALID_CHECKPOINT', 'A nominal checkpoint has no values to load', {
      where: file,
      remedy: 'Give the checkpoint that was saved with the values.',
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
