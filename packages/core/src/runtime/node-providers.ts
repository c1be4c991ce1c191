import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Where onnxruntime-node keeps what it is made of, from the file that it is imported by. */
const libraries = ['..', 'bin', 'napi-v6', 'linux', 'x64'];

/** Why a provider cannot work in Node, as far as that shows without asking ONNX Runtime: asked for CUDA that is not there,
 *  it writes to the console before it throws. */
export function missingInNode(provider: string): string | undefined {
  if (provider !== 'cuda') return undefined;
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return `onnxruntime-node has CUDA for Linux x64, and this is ${process.platform} ${process.arch}`;
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node');
  const library = join(dirname(entry), ...libraries, 'libonnxruntime_providers_cuda.so');
  return existsSync(library)
    ? undefined
    : 'the CUDA libraries of onnxruntime-node are not installed';
}
