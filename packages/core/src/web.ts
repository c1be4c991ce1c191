import { env, InferenceSession, Tensor } from 'onnxruntime-web/webgpu';
import { trainingSessions } from './container.js';
import type { Runtime } from './runtime/runtime.js';
import { webFiles } from './runtime/web-files.js';
import type { Source } from './training/api.js';
import * as generator from './training/generate/generate.js';

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

/** Makes the training artifacts of a forward model, as `onnxruntime.training.artifacts.generate_artifacts` does.
 *  @throws GradwareError for a model that does not train, an op without a gradient, an option that fits nothing */
export function generateArtifacts(
  model: Source,
  options: generator.GenerateOptions = {},
): Promise<generator.GeneratedArtifacts> {
  return generator.generateArtifacts(webRuntime, model, options);
}
