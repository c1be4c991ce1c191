import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import { GradwareError } from '../errors.js';
import type { ExternalData } from '../onnx/external-data.js';

/** A file read at once into memory can be no larger in Node. */
const maxBytes = 2 ** 31 - 1;

/** Gives the files in which a model keeps tensors, from the model's folder and no other place:
 *  neither `..`, absolute paths nor links lead out of it.
 *  @throws GradwareError (from the function returned) FILE for what lies elsewhere, is missing or no file. */
export function externalFiles(modelPath: string): ExternalData {
  const folder = dirname(resolve(modelPath));
  return (location) => readInside(folder, location, modelPath);
}

function readInside(folder: string, location: string, where: string): Uint8Array {
  const refuse = (problem: string, remedy?: string, cause?: unknown): never => {
    throw new GradwareError(
      'FILE',
      `The external tensor data ${JSON.stringify(location)} ${problem}`,
      {
        where,
        ...(remedy === undefined ? {} : { remedy }),
        cause,
      },
    );
  };
  const outside = () =>
    refuse(
      "lies outside the model's folder",
      'Put the file beside the model, and name it so in the model.',
    );
  // Models are made on Windows, too: its paths must not get a meaning here that they do not have.
  const absolute = isAbsolute(location) || /^([a-z]:|[\\/])/i.test(location);
  if (absolute || location.split(/[\\/]/).includes('..') || location.includes('\0'))
    return outside();
  try {
    const path = realpathSync(resolve(folder, location));
    const inside = relative(realpathSync(folder), path);
    if (inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
      return outside();
    }
    // Asked before it is opened: opening a pipe would wait for its other end.
    const status = statSync(path);
    if (!status.isFile()) return refuse('is no file');
    if (status.size > maxBytes) {
      return refuse(`has ${status.size} bytes, more than can be read (${maxBytes})`);
    }
    const content = readFileSync(path);
    return new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
  } catch (cause) {
    if (cause instanceof GradwareError) throw cause;
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    return refuse(
      missing ? 'is missing' : 'cannot be read',
      'Keep the file beside the model.',
      cause,
    );
  }
}
