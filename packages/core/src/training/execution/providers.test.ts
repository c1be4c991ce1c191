import { expect, test } from 'vitest';
import { nodeRuntime } from '../../node.js';
import type { Device, Runtime } from '../../runtime/runtime.js';
import { toTensor } from '../../runtime/tensors.js';
import { chooseProvider } from './providers.js';

/** A page where all providers work, and webgpu runs on this. */
function page(gpu: Device): Runtime {
  const y = toTensor(nodeRuntime.Tensor, { type: 'float32', data: Float32Array.of(42), dims: [1] });
  const session = { run: async () => ({ y }), release: async () => undefined };
  return {
    ...nodeRuntime,
    name: 'onnxruntime-web',
    defaultProvider: 'wasm',
    InferenceSession: { create: async () => session } as unknown as Runtime['InferenceSession'],
    device: async (provider) => (provider === 'webgpu' ? gpu : { threads: 2 }),
  };
}

const emulated = { adapter: 'google swiftshader', isEmulated: true };

test('auto takes no GPU that the processor only imitates, and says so', async () => {
  const { execution } = await chooseProvider(page(emulated), ['auto']);
  expect(execution).toMatchObject({
    provider: 'wasm',
    description:
      'wasm, 2 threads; not webgpu: the processor only imitates a GPU here (google swiftshader)',
  });
});

test.each([
  ['a GPU', { adapter: 'nvidia hopper', isEmulated: false }, ['auto'] as const],
  ['what is wanted by name', emulated, ['webgpu', 'wasm'] as const],
  [
    'what is wanted by name, with options',
    emulated,
    [{ name: 'webgpu' as const }, 'auto'] as const,
  ],
])('takes %s', async (_, gpu, wanted) => {
  const { execution } = await chooseProvider(page(gpu), wanted);
  expect(execution).toMatchObject({ provider: 'webgpu', refused: [], adapter: gpu.adapter });
});
