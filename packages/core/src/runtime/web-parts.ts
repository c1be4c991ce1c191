import type { Env, InferenceSessionFactory, TensorConstructor } from 'onnxruntime-common';
import { exclusive } from './exclusive.js';
import type { Runtime } from './runtime.js';
import { webDevice } from './web-device.js';
import { webFiles } from './web-files.js';
import { noticingLoss } from './web-loss.js';
import { webThreads } from './web-threads.js';

/** What the builds of ONNX Runtime for browsers have in common. */
export function webParts(
  sessions: InferenceSessionFactory,
  env: Env,
  Tensor: TensorConstructor,
): Omit<Runtime, 'name'> {
  const threads = webThreads(sessions, env.wasm, () => Reflect.construct(Tensor, ['no type', []]));
  return {
    Tensor,
    InferenceSession: exclusive(noticingLoss(threads.sessions, env)),
    defaultProvider: 'wasm',
    files: webFiles,
    availableMemory: () => undefined,
    device: (provider) => webDevice(env, provider, threads.note()),
  };
}
