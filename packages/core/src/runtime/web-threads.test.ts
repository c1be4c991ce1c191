import type { InferenceSession, InferenceSessionFactory } from 'onnxruntime-common';
import { expect, test } from 'vitest';
import { webThreads } from './web-threads.js';

type Wasm = Parameters<typeof webThreads>[1];

/** How many threads the first session finds, with ONNX Runtime in this script. */
async function threadsFrom(script: string, wasm: Wasm = {}, page = true) {
  const factory = {
    create: async () => ({}) as InferenceSession,
  } as unknown as InferenceSessionFactory;
  const ort = () => {
    throw Object.assign(new TypeError('no such type'), {
      stack: `TypeError: no such type\n    at new Tensor (${script}:1:234)\n    at https://a.org/app.js:5:6`,
    });
  };
  const { sessions } = webThreads(factory, wasm, ort, page);
  await sessions.create(new Uint8Array());
  return wasm.numThreads ?? 'as ONNX Runtime decides';
}

test.each([
  'https://a.org/vendor/ort.webgpu.bundle.min.mjs',
  'https://a.org/assets/onnxruntime-D3adB33f.js?v=1',
  'http://localhost:5173/node_modules/.vite/deps/onnxruntime-web_webgpu.js',
])('%s starts threads', async (script) => {
  expect(await threadsFrom(script)).toBe('as ONNX Runtime decides');
});

test('a file with the page inside does not', async () => {
  const script = 'https://a.org/assets/index-sortable.js';
  expect(await threadsFrom(script)).toBe(1);
  expect(await threadsFrom(script, { wasmPaths: { mjs: '/ort.mjs' } })).toBe(
    'as ONNX Runtime decides',
  );
  // A worker that is started anew does no harm.
  expect(await threadsFrom(script, {}, false)).toBe('as ONNX Runtime decides');
});
