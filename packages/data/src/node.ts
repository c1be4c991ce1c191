import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { GradwareError } from '@gradware/core';
import { DEFAULT_MAX_BYTES } from './budget.js';
import type { Dataset } from './dataset.js';
import { decodeDataset, isDataFile, type NamedBytes, type ReadOptions } from './decode.js';
import { globMatcher } from './select.js';
import { list } from './suggestion.js';

export * from './index.js';

/** Reads a data set: .npz, .npy, .csv, .tsv or IDX, each also gzipped.
 *  @param source a file; a folder (all data files in it); `folder/train-*`; several of these with commas between, which
 *  together give the columns (IDX images and labels); or the bytes of one file
 *  @throws GradwareError FILE when a file cannot be read, and what `decodeDataset` throws */
export async function readDataset(
  source: string | Uint8Array,
  options: ReadOptions = {},
): Promise<Dataset> {
  if (typeof source !== 'string') return decodeDataset(source, options);
  const { maxBytes = DEFAULT_MAX_BYTES } = options;
  const files: NamedBytes[] = [];
  let left = maxBytes;
  for (const path of await resolve(source)) {
    const bytes = await readBytes(path, left, maxBytes);
    left -= bytes.length;
    files.push({ name: path, bytes });
  }
  return decodeDataset(files, options);
}

/** The files that a source stands for, in the order given; those of a folder by name. */
async function resolve(source: string): Promise<readonly string[]> {
  // A file whose name holds a comma or a star is taken as it is.
  const terms = (await exists(source)) ? [source] : source.split(',').map((term) => term.trim());
  const files = await Promise.all(terms.map(resolveTerm));
  return [...new Set(files.flat())];
}

async function resolveTerm(path: string): Promise<readonly string[]> {
  if (await exists(path)) {
    const info = await orFileError(path, () => stat(path));
    return info.isDirectory() ? listFolder(path, isDataFile, path) : [path];
  }
  const glob = basename(path);
  if (!/[*?]/.test(glob)) throw missing(path);
  const matches = globMatcher(glob);
  return listFolder(dirname(path), (name) => matches(name) && isDataFile(name), path);
}

async function listFolder(
  folder: string,
  wanted: (name: string) => boolean,
  asked: string,
): Promise<readonly string[]> {
  const entries = await orFileError(folder, () => readdir(folder, { withFileTypes: true }));
  const names = entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
  const found = names.filter(wanted).sort();
  if (found.length > 0) return found.map((name) => join(folder, name));
  throw new GradwareError('FILE', 'There is no data file there', {
    where: asked,
    remedy: `Data files end in .npz, .npy, .csv, .tsv, -ubyte or .idx, or these with .gz; found ${list(names) || 'nothing'}.`,
  });
}

async function readBytes(path: string, allowed: number, maxBytes: number): Promise<Uint8Array> {
  const info = await orFileError(path, () => stat(path));
  if (!info.isFile()) {
    throw new GradwareError('FILE', 'Not a regular file', {
      where: path,
      remedy: 'Name a file or a folder.',
    });
  }
  if (info.size > allowed) {
    throw new GradwareError(
      'OUT_OF_MEMORY',
      `The data takes more than the ${maxBytes} bytes allowed`,
      {
        where: path,
        remedy: 'Raise maxBytes if there is memory for it.',
      },
    );
  }
  return orFileError(path, () => readAll(path, info.size));
}

/** As `readFile`, which stops at 2 GiB. */
async function readAll(path: string, size: number): Promise<Uint8Array> {
  const chunk = 2 ** 30;
  const bytes = new Uint8Array(size);
  const file = await open(path);
  try {
    let offset = 0;
    while (offset < size) {
      const { bytesRead } = await file.read(bytes, offset, Math.min(chunk, size - offset), offset);
      if (bytesRead === 0) break;
      offset += bytesRead;
    }
    return bytes.subarray(0, offset);
  } finally {
    await file.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function orFileError<T>(path: string, access: () => Promise<T>): Promise<T> {
  try {
    return await access();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GradwareError('FILE', `Cannot be read: ${reason}`, {
      where: path,
      remedy: 'Check the path and the permissions.',
      cause,
    });
  }
}

function missing(path: string): GradwareError {
  return new GradwareError('FILE', 'There is no such file or folder', {
    where: path,
    remedy: 'Check the path; several files stand with commas between.',
  });
}
