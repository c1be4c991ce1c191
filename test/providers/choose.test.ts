import {
  container,
  nodeRuntime,
  RUNTIME,
  type Runtime,
  TrainingSession,
} from '@gradware/core/node';
import { expect, test, vi } from 'vitest';

const artifacts = new URL('../../models/digits/artifacts/mlp', import.meta.url);
const noCuda = nodeRuntime.missing?.('cuda');

test.skipIf(noCuda === undefined)('says what CUDA needs where it is not', async () => {
  const opening = TrainingSession.create(artifacts, { executionProviders: ['cuda'] });
  await expect(opening).rejects.toMatchObject({
    code: 'RUNTIME',
    problem: `No execution provider works: cuda: ${noCuda}`,
    remedy: expect.stringMatching(
      /NVIDIA driver, CUDA 12 and cuDNN 9.*--onnxruntime-node-install=cuda12/,
    ),
  });
});

test.skipIf(noCuda === undefined)('takes the next one, and says why not CUDA', async () => {
  const written = vi.spyOn(process.stderr, 'write');
  const session = await TrainingSession.create(artifacts, { executionProviders: ['cuda', 'cpu'] });
  expect(session.execution).toMatchObject({ provider: 'cpu', refused: [`cuda: ${noCuda}`] });
  expect(session.execution.description).toContain(`not cuda: ${noCuda}`);
  expect(written).not.toHaveBeenCalled();
  written.mockRestore();
  await session.release();
});

test('names of ONNX Runtime for other machines are passed over, and said', async () => {
  const executionProviders = ['coreml', { name: 'dml', deviceId: 1 }, 'cpu'] as const;
  const session = await TrainingSession.create(artifacts, { executionProviders });
  expect(session.execution).toMatchObject({
    provider: 'cpu',
    refused: ['coreml: Gradware does not train there', 'dml: Gradware does not train there'],
  });
  await session.release();
  await expect(
    TrainingSession.create(artifacts, { executionProviders: ['coreml', 'wasm'] }),
  ).rejects.toMatchObject({
    code: 'RUNTIME',
    problem:
      'No execution provider works: coreml: Gradware does not train there; wasm: onnxruntime-node has no such provider',
    remedy: 'onnxruntime-node has auto, cuda, webgpu, cpu.',
  });
  const byDefault = await TrainingSession.create(artifacts, { executionProviders: [] });
  expect(byDefault.provider).toBe('cpu');
  await byDefault.release();
});

test.each([
  [['cpu', 'webgqu'], 'webgqu', 'Did you mean webgpu?'],
  [['gpu'], 'gpu', 'Did you mean cpu or webgpu?'],
  [[{ name: 'tpu-pod' }], 'tpu-pod', 'There are auto, cpu, wasm, webgpu, cuda.'],
  [[null, 'cpu'], 'undefined', 'There are auto, cpu, wasm, webgpu, cuda.'],
])('a name that there is not is refused wherever it stands: %j', async (list, name, remedy) => {
  const opening = TrainingSession.create(artifacts, { executionProviders: list as never });
  await expect(opening).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    problem: `There is no execution provider "${name}"`,
    remedy,
  });
});

test('options of a provider reach ONNX Runtime', async () => {
  const asked: unknown[] = [];
  const create = nodeRuntime.InferenceSession.create.bind(nodeRuntime.InferenceSession) as (
    ...given: readonly unknown[]
  ) => ReturnType<typeof nodeRuntime.InferenceSession.create>;
  const noting: Runtime = {
    ...nodeRuntime,
    InferenceSession: {
      create(model: unknown, options: { readonly executionProviders: unknown }) {
        asked.push(options.executionProviders);
        return create(model, options);
      },
    } as typeof nodeRuntime.InferenceSession,
  };
  const own = container.createChildContainer();
  own.register(RUNTIME, { useValue: noting });
  const wanted = { name: 'cpu', useArena: false } as const;
  const session = await TrainingSession.create(artifacts, {
    container: own,
    executionProviders: [wanted],
  });
  await session.release();
  // To see whether it works.
  expect(asked).toContainEqual([wanted]);
});

test('why a provider does not work is told without a place in the sources of ONNX Runtime', async () => {
  const failing: Runtime = {
    ...nodeRuntime,
    InferenceSession: {
      create() {
        throw new Error(
          '/onnxruntime_src/webgpu/webgpu_context.cc:136 a::Context::Initialize(const b&)::<lambda()> result.status == c::Success was false. Failed to get a WebGPU adapter: No supported adapters\nmore',
        );
      },
    } as never,
  };
  const own = container.createChildContainer();
  own.register(RUNTIME, { useValue: failing });
  const opening = TrainingSession.create(artifacts, {
    container: own,
    executionProviders: ['webgpu'],
  });
  await expect(opening).rejects.toMatchObject({
    problem:
      'No execution provider works: webgpu: Failed to get a WebGPU adapter: No supported adapters',
  });
});
