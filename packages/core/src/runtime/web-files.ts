import { GradwareError, messageOf } from '../errors.js';
import type { FileAccess } from './runtime.js';

/** What a relative URL is relative to: the page, or the worker's script. */
function absolute(url: string | URL): URL {
  const { location } = globalThis as { readonly location?: { readonly href: string } };
  return new URL(url, location?.href);
}

function refuse(what: string): never {
  throw new GradwareError('UNSUPPORTED', `A page cannot ${what}`, {
    remedy: 'Use bytes: checkpoint() returns what saveCheckpoint would write.',
  });
}

/** Paths are URLs. A folder is a URL that ends in a slash; it holds the files under their usual names. */
export const webFiles: FileAccess = {
  async read(url) {
    try {
      const response = await fetch(url);
      if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
      return new Uint8Array(await response.arrayBuffer());
    } catch (cause) {
      const reason = messageOf(cause);
      throw new GradwareError('FILE', `${url} could not be loaded: ${reason}`, {
        remedy: 'Check the address, and that its server lets other pages read it (CORS).',
        cause,
      });
    }
  },
  readBeside: () => undefined,
  async isFolder(url) {
    try {
      return absolute(url).pathname.endsWith('/');
    } catch {
      // What is no address is said where it is read.
      return false;
    }
  },
  list: async () => [
    'checkpoint',
    'eval_model.onnx',
    'optimizer_model.onnx',
    'training_model.onnx',
  ],
  join: (folder, file) => new URL(file, absolute(folder)).href,
  writeAtomic: async () => refuse('write files'),
};
