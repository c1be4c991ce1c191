import { env, InferenceSession, Tensor } from 'onnxruntime-node';
import { trainingSessions } from './container.js';
import { nodeFiles } from './runtime/node-files.js';
import type { Runtime } from './runtime/runtime.js';

export { container } from './container.js';
export * from './index.js';
export { env, InferenceSession, Tensor };

/** ONNX Runtime for Node. */
export const nodeRuntime: Runtime = {
  name: 'onnxruntime-node',
  InferenceSession,
  Tensor,
  defaultProvider: 'cpu',
  files: nodeFiles,
  availableMemory: () => process.availableMemory(),
};

/** Trains models on onnxruntime-node. */
export const TrainingSession = trainingSessions(nodeRuntime);
export type TrainingSession = import('./training/api.js').TrainingSession;
