import type { FileAccess } from '../runtime/runtime.js';
import type { Source } from './api.js';

/** Whether something is a path, a URL or bytes. */
export function isSource(given: unknown): given is Source {
  return (
    typeof given === 'string' ||
    given instanceof URL ||
    given instanceof Uint8Array ||
    given instanceof ArrayBuffer
  );
}

/** The bytes of a source, and what to call it in messages. */
export async function readSource(
  files: FileAccess,
  source: Source,
  title: string,
): Promise<{ readonly bytes: Uint8Array; readonly file: string }> {
  if (source instanceof Uint8Array) return { bytes: source, file: title };
  if (source instanceof ArrayBuffer) return { bytes: new Uint8Array(source), file: title };
  return { bytes: await files.read(source), file: String(source) };
}
