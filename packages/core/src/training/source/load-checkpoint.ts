import { type AnyCheckpoint, readCheckpoint } from '../../artifacts/checkpoint.js';
import type { Checkpoint } from '../../artifacts/ort-checkpoint.js';
import { isPbseqName, readPbseqCheckpoint } from '../../artifacts/pbseq-checkpoint.js';
import { GradwareError } from '../../errors.js';
import type { TensorData } from '../../onnx/ir.js';
import type { FileAccess } from '../../runtime/runtime.js';
import type { CheckpointState, Source } from '../api.js';
import { isSource, readSource } from '../read-source.js';

export interface LoadedCheckpoint {
  readonly read: AnyCheckpoint;
  /** What to call it in messages. */
  readonly file: string;
}

const dataSuffix = '.data';

/** Reads a checkpoint: a file, with its `.data` beside it where it has one; a folder of .pbseq files; or the files of
 *  either, by name.
 *  @throws GradwareError FILE, INVALID_CHECKPOINT */
export async function loadCheckpoint(
  files: FileAccess,
  source: CheckpointState,
): Promise<LoadedCheckpoint> {
  // JavaScript gives anything.
  if (!isSource(source)) return loadNamed(files, source ?? {});
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) return loadFile(files, source);
  if (!(await files.isFolder(source))) return loadFile(files, source);
  const names = (await files.list(source)).filter(isPbseqName);
  if (names.length === 0)
    throw new GradwareError('INVALID_CHECKPOINT', 'The folder holds no checkpoint', {
      where: String(source),
      remedy: 'Give the checkpoint file, or a folder that holds paramtrain_tensors.pbseq.',
    });
  return loadNamed(
    files,
    Object.fromEntries(names.map((name) => [name, files.join(source, name)])),
    String(source),
  );
}

async function loadFile(files: FileAccess, source: Source): Promise<LoadedCheckpoint> {
  const { bytes, file } = await readSource(files, source, 'the checkpoint');
  const name = typeof source === 'string' ? source.split(/[\\/]/).at(-1) : undefined;
  const externalData =
    typeof source === 'string' && name !== undefined
      ? beside(files, source, name + dataSuffix)
      : undefined;
  return { read: readCheckpoint(bytes, { file, externalData }), file };
}

/** There is none beside most checkpoints, which hold their values themselves; one that should have it is refused when
 *  it is read. */
function beside(files: FileAccess, path: string, name: string): Uint8Array | undefined {
  try {
    return files.readBeside(path, name);
  } catch {
    return undefined;
  }
}

async function loadNamed(
  files: FileAccess,
  sources: Readonly<Record<string, Source>>,
  where = 'the checkpoint',
): Promise<LoadedCheckpoint> {
  const contents = new Map<string, Uint8Array>();
  for (const [name, source] of Object.entries(sources))
    contents.set(name, (await readSource(files, source, name)).bytes);
  const names = [...contents.keys()];
  if (names.some(isPbseqName))
    return {
      read: { format: 'ort', checkpoint: readPbseqCheckpoint(contents, where) },
      file: where,
    };
  const [main, second] = names.filter((name) => !name.endsWith(dataSuffix));
  const bytes = main === undefined ? undefined : contents.get(main);
  if (main === undefined || bytes === undefined || second !== undefined)
    throw new GradwareError('INVALID_OPTION', 'It is not plain which file the checkpoint is', {
      where: names.join(', ') || 'no files',
      remedy:
        'Give { checkpoint, "checkpoint.data" }, or the .pbseq files of a folder by their names.',
    });
  const externalData = contents.get(main + dataSuffix);
  return { read: readCheckpoint(bytes, { file: main, externalData }), file: main };
}

/** The parameters of a checkpoint, whichever kind it is. What else Gradware's own hold is for a session to load.
 *  @throws GradwareError FILE, INVALID_CHECKPOINT */
export async function loadParameters(
  files: FileAccess,
  source: CheckpointState,
): Promise<Checkpoint> {
  const { read } = await loadCheckpoint(files, source);
  if (read.format === 'ort') return read.checkpoint;
  const parameters = new Map<string, TensorData>();
  for (const [key, tensor] of read.state.tensors) {
    const name = /^(?:parameter|statistic)\/(.+)$/s.exec(key)?.[1];
    if (name !== undefined) parameters.set(name, tensor);
  }
  return { trainable: parameters, frozen: new Map(), nominal: false, properties: new Map() };
}
