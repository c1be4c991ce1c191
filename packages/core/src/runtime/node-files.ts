import { randomUUID } from 'node:crypto';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ErrorCode, GradwareError } from '../errors.js';
import { externalFiles } from './node-external-files.js';
import type { FileAccess } from './runtime.js';

function pathOf(path: string | URL): string {
  return path instanceof URL ? fileURLToPath(path) : path;
}

const reasons: Readonly<Record<string, { readonly problem: string; readonly remedy: string }>> = {
  ENOENT: { problem: 'does not exist', remedy: 'Check the path.' },
  EACCES: { problem: 'may not be read or written', remedy: 'Check the permissions.' },
  EROFS: { problem: 'is on a disk that cannot be written to', remedy: 'Give another path.' },
  EISDIR: { problem: 'is a folder', remedy: 'Give the path of a file.' },
  ENOTDIR: { problem: 'is not in a folder', remedy: 'Check the path.' },
  ENOSPC: {
    problem: 'does not fit on the disk',
    remedy: 'Make room, or write elsewhere. What was written before is whole.',
  },
};

function fail(cause: unknown, path: string, code: ErrorCode = 'FILE'): never {
  if (cause instanceof GradwareError) throw cause;
  const known = cause instanceof Error && 'code' in cause ? reasons[String(cause.code)] : undefined;
  const reason =
    known?.problem ??
    (cause instanceof Error ? `cannot be used: ${cause.message}` : 'cannot be used');
  throw new GradwareError(code, `The file ${path} ${reason}`, {
    ...(known && { remedy: known.remedy }),
    cause,
  });
}

/** Reads in pieces: fs.readFile stops at 2 GiB. */
const piece = 2 ** 30;

async function read(given: string | URL): Promise<Uint8Array> {
  const path = pathOf(given);
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const bytes = new Uint8Array(size);
      for (let at = 0; at < size; ) {
        const { bytesRead } = await file.read(bytes, at, Math.min(piece, size - at), at);
        if (bytesRead === 0) return bytes.subarray(0, at);
        at += bytesRead;
      }
      return bytes;
    } finally {
      await file.close();
    }
  } catch (cause) {
    return fail(cause, path);
  }
}

/** A rename would put a file in the place of a device, a pipe or a folder.
 *  @throws GradwareError FILE, also where the folder is missing */
async function checkTarget(path: string): Promise<void> {
  const kind = (place: string) => stat(place).catch(() => undefined);
  const existing = await kind(path);
  if (existing !== undefined && !existing.isFile())
    throw new GradwareError(
      'FILE',
      `${path} is ${existing.isDirectory() ? 'a folder' : 'no regular file'}`,
      { remedy: 'Give the path of a file to write.' },
    );
  if ((await kind(dirname(path))) === undefined)
    throw new GradwareError('FILE', `The folder ${dirname(path)} does not exist`, {
      where: path,
      remedy: 'Make it first.',
    });
}

/** Writes beside the target, syncs, then renames: at any moment the target is the old file or the new one. */
async function writeAtomic(path: string, bytes: Uint8Array): Promise<void> {
  await checkTarget(path);
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, 'wx');
    try {
      for (let at = 0; at < bytes.byteLength; at += piece)
        await file.writeFile(bytes.subarray(at, at + piece));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await sweep(path);
  } catch (cause) {
    await rm(temporary, { force: true });
    fail(cause, path);
  }
}

/** Longer than any write takes. */
const staleAfter = 3_600_000;

/** Removes what writers of this file left behind that were killed: nobody else would. */
async function sweep(path: string): Promise<void> {
  const folder = dirname(path);
  const prefix = `.${basename(path)}.`;
  const entries = await readdir(folder).catch(() => []);
  for (const name of entries) {
    if (!name.startsWith(prefix) || !/^[\da-f-]{36}\.tmp$/.test(name.slice(prefix.length)))
      continue;
    const left = join(folder, name);
    const written = (await stat(left).catch(() => undefined))?.mtimeMs;
    if (written !== undefined && Date.now() - written > staleAfter) await rm(left, { force: true });
  }
}

/** Files of Node's file system. */
export const nodeFiles: FileAccess = {
  read,
  writeAtomic,
  readBeside: (path, location) => externalFiles(pathOf(path))(location),
  isFolder: async (path) => {
    try {
      return (await stat(pathOf(path))).isDirectory();
    } catch {
      return false;
    }
  },
  list: async (folder) => {
    try {
      return (await readdir(pathOf(folder))).sort();
    } catch (cause) {
      return fail(cause, pathOf(folder));
    }
  },
  join: (folder, file) => join(pathOf(folder), file),
};
