import { randomUUID } from 'node:crypto';
import { access, constants, mkdir, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { GradwareError } from '@gradware/core';
import { nodeRuntime } from '@gradware/core/node';

/** What a run leaves behind. */
export const checkpointFile = 'checkpoint.safetensors';
export const modelFile = 'model.onnx';

export async function isFolder(path: string): Promise<boolean> {
  return (await kindOf(path)) === 'folder';
}

async function kindOf(path: string): Promise<'folder' | 'file' | 'nothing'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch {
    return 'nothing';
  }
}

/** Checks that a folder is there or can be made, without making it: that is for the first result to do.
 *  @throws GradwareError FILE */
export async function checkOutput(folder: string): Promise<void> {
  let path = resolve(folder);
  while ((await kindOf(path)) === 'nothing' && dirname(path) !== path) path = dirname(path);
  const refuse = (problem: string, cause?: unknown): never => {
    throw new GradwareError('FILE', problem, {
      where: `--out ${folder}`,
      remedy: 'Give another folder.',
      cause,
    });
  };
  if ((await kindOf(path)) === 'file') refuse(`${path} is a file, not a folder`);
  try {
    await access(path, constants.W_OK);
  } catch (cause) {
    refuse(`The folder ${path} cannot be written to`, cause);
  }
}

/** Makes a folder and those above it. mkdir's own `recursive` never ends where a file system refuses new folders by
 *  saying that they do not exist, as /proc does. */
async function makeFolder(path: string): Promise<void> {
  if ((await kindOf(path)) === 'folder') return;
  if (dirname(path) !== path) await makeFolder(dirname(path));
  try {
    await mkdir(path);
  } catch (cause) {
    // Another run may have made it meanwhile.
    if ((await kindOf(path)) !== 'folder') throw cause;
  }
}

/** Replaces a file in the folder, which is made if need be: all of it, or nothing.
 *  @throws GradwareError FILE */
export async function writeOutput(
  folder: string,
  name: string,
  bytes: Uint8Array,
): Promise<string> {
  const path = join(folder, name);
  try {
    await makeFolder(resolve(folder));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GradwareError('FILE', `The folder ${folder} cannot be made: ${reason}`, {
      remedy: 'Name a folder that can be written to (--out).',
      cause,
    });
  }
  await nodeRuntime.files.writeAtomic(path, bytes);
  return path;
}

interface WrittenFile {
  readonly path: string;
  readonly bytes: number;
}

/** Writes files that belong together: all of them, or none.
 *  @throws GradwareError FILE */
export async function writeOutputs(
  folder: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<readonly WrittenFile[]> {
  const [first, second] = files;
  if (first !== undefined && second === undefined) {
    const [name, bytes] = first;
    return [{ path: await writeOutput(folder, name, bytes), bytes: bytes.byteLength }];
  }
  const existed = await isFolder(folder);
  const staging = join(folder, `.${randomUUID()}.tmp`);
  const written: WrittenFile[] = [];
  try {
    for (const name of files.keys()) await checkReplaceable(join(folder, name));
    for (const [name, bytes] of files) await writeOutput(staging, name, bytes);
    for (const [name, { byteLength }] of files) {
      const path = join(folder, name);
      await rename(join(staging, name), path);
      written.push({ path, bytes: byteLength });
    }
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    if (!existed) await rmdir(folder).catch(() => undefined);
    throw withoutStaging(error, staging, folder);
  }
  await rm(staging, { recursive: true, force: true });
  return written;
}

/** A rename would put a file in the place of a device or a pipe. */
async function checkReplaceable(path: string): Promise<void> {
  const existing = await stat(path).catch(() => undefined);
  if (existing === undefined || existing.isFile()) return;
  throw new GradwareError(
    'FILE',
    `${path} is ${existing.isDirectory() ? 'a folder' : 'no regular file'}`,
    { remedy: 'Give another folder to write to, or remove it.' },
  );
}

/** The place that was meant, not the one where files are put together. */
function withoutStaging(error: unknown, staging: string, folder: string): unknown {
  if (!(error instanceof GradwareError) || !error.problem.includes(staging)) return error;
  const { code, problem, where, remedy } = error;
  return new GradwareError(code, problem.replaceAll(staging, folder), {
    ...(where !== undefined && { where: where.replaceAll(staging, folder) }),
    ...(remedy !== undefined && { remedy }),
    cause: error,
  });
}

/** What is meant by a path to a model. */
export interface FoundModel {
  readonly model: string;
  /** Where the path was the folder of a run: what the run left beside the model. */
  readonly checkpoint?: string | undefined;
}

/** The model that is meant by a file, a folder of artifacts, or the --out folder of a run.
 *  @throws GradwareError FILE for a checkpoint, or a run that has no model yet */
export async function findModel(path: string): Promise<FoundModel> {
  const kind = await kindOf(path);
  if (kind === 'file' && path.endsWith('.safetensors'))
    throw new GradwareError('FILE', 'This is a checkpoint or weights, not a model', {
      where: path,
      remedy: 'Give the model, and this file with --checkpoint, --weights or --resume.',
    });
  if (kind !== 'folder' || (await readdir(path)).some((name) => name.includes('training_model')))
    return { model: path };
  const [model, checkpoint] = [join(path, modelFile), join(path, checkpointFile)];
  const hasCheckpoint = (await kindOf(checkpoint)) === 'file';
  if ((await kindOf(model)) === 'file') return { model, ...(hasCheckpoint && { checkpoint }) };
  if (!hasCheckpoint) return { model: path };
  throw new GradwareError('FILE', 'The run in this folder has not written its model yet', {
    where: path,
    remedy:
      'Go on with --resume, or give the model that it trains, and this folder with --checkpoint.',
  });
}

/** The checkpoint that is meant by a file, or by the folder of a run.
 *  @throws GradwareError FILE */
export async function findCheckpoint(path: string): Promise<string> {
  const kind = await kindOf(path);
  const file = kind === 'folder' ? join(path, checkpointFile) : path;
  if (kind === 'file' || (kind === 'folder' && (await kindOf(file)) === 'file')) return file;
  throw new GradwareError('FILE', 'There is no checkpoint', {
    where: file,
    remedy: 'Give the --out folder of a run, or a checkpoint file.',
  });
}

/** The weights that are meant by a path: of the --out folder of a run those of its checkpoint. */
export async function findWeights(path: string): Promise<string> {
  const file = join(path, checkpointFile);
  return (await kindOf(file)) === 'file' ? file : path;
}
