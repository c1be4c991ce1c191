import { env, InferenceSession, Tensor } from 'onnxruntime-node';
import { trainingSessions } from './container.js';
import { nodeFiles } from './runtime/node-files.js';
import type { Runtime } from './runtime/runtime.js';
import type { Source } from './training/api.js';
import * as generator from './training/generate/generate.js';

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

/** Makes the training artifacts of a forward model, as `onnxruntime.training.artifacts.generate_artifacts` does.
 *  @throws GradwareError for a model that does not train, an op without a gradient, an option that fits nothing */
export function generateArtifacts(
  model: Source,
  options: generator.GenerateOptions = {},
): Promise<generator.GeneratedArtifacts> {
  return generator.generateArtifacts(nodeRuntime, model, options);
}
