import type { Env, InferenceSessionFactory } from 'onnxruntime-common';
import { exclusive } from './exclusive.js';
import type { Runtime } from './runtime.js';
import { webDevice } from './web-device.js';
import { webFiles } from './web-files.js';
import { noticingLoss } from './web-loss.js';

/** What the builds of ONNX Runtime for browsers have in common. */
export function webParts(
  sessions: InferenceSessionFactory,
  env: Env,
): Omit<Runtime, 'name' | 'Tensor'> {
  return {
    InferenceSession: exclusive(noticingLoss(sessions, env)),
    defaultProvider: 'wasm',
    files: webFiles,
    availableMemory: () => undefined,
    device: (provider) => webDevice(env, provider),
  };
}
