import { env, InferenceSession, Tensor } from 'onnxruntime-web/webgpu';
import { trainingSessions } from './container.js';
import type { Runtime } from './runtime/runtime.js';
import { webFiles } from './runtime/web-files.js';

export { container } from './container.js';
export * from './index.js';
export { env, InferenceSession, Tensor };

/** ONNX Runtime for browsers: the build with the native WebGPU provider, never the default one with its old kernels. */
export const webRuntime: Runtime = {
  name: 'onnxruntime-web',
  InferenceSession,
  Tensor,
  defaultProvider: 'wasm',
  files: webFiles,
  availableMemory: () => undefined,
};

/** Trains models on onnxruntime-web. */
export const TrainingSession = trainingSessions(webRuntime);
export type TrainingSession = import('./training/api.js').TrainingSession;
