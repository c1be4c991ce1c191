import type {
  Env,
  InferenceSession,
  InferenceSessionFactory,
  TensorConstructor,
} from 'onnxruntime-common';
import { exclusive } from './exclusive.js';
import type { Runtime } from './runtime.js';
import { webDevice } from './web-device.js';
import { webFiles } from './web-files.js';
import { webThreads } from './web-threads.js';

type Create = (...given: readonly unknown[]) => Promise<InferenceSession>;

/** What the builds of ONNX Runtime for browsers have in common. */
export function webParts(
  sessions: InferenceSessionFactory,
  env: Env,
  Tensor: TensorConstructor,
): Omit<Runtime, 'name'> {
  const threads = webThreads(sessions, env.wasm, () => Reflect.construct(Tensor, ['no type', []]));
  return {
    Tensor,
    InferenceSession: exclusive(watchingGpu(threads.sessions, env)),
    defaultProvider: 'wasm',
    files: webFiles,
    availableMemory: () => undefined,
    device: (provider) => webDevice(env, provider, threads.note()),
  };
}

/** Sessions that know when their GPU is gone. What that takes is loaded with the first of them. */
function watchingGpu(factory: InferenceSessionFactory, env: Env): InferenceSessionFactory {
  const create = factory.create.bind(factory) as Create;
  let onGpu: Promise<Create> | undefined;
  return {
    async create(...given: readonly unknown[]) {
      if (!given.some(wantsGpu)) return create(...given);
      onGpu ??= import('./web-loss.js').then(
        ({ noticingLoss }) => noticingLoss(create, env),
        (error) => {
          onGpu = undefined;
          throw error;
        },
      );
      return (await onGpu)(...given);
    },
  };
}

function wantsGpu(given: unknown): boolean {
  const { executionProviders = [] } = (given ?? {}) as InferenceSession.SessionOptions;
  return executionProviders.some(
    (provider) => (typeof provider === 'string' ? provider : provider.name) === 'webgpu',
  );
}
