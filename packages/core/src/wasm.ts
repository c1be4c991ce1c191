import { env, InferenceSession as OrtSession, Tensor } from 'onnxruntime-web/wasm';
import { trainingSessions } from './container.js';
import type { Runtime } from './runtime/runtime.js';
import { webParts } from './runtime/web-parts.js';
import type { Source } from './training/api.js';
import * as generator from './training/generate/generate.js';

export { container } from './container.js';
export * from './index.js';
export { env, Tensor };

/** ONNX Runtime for browsers without a GPU: half as much to download as the build with WebGPU. */
export const wasmRuntime: Runtime = {
  name: 'onnxruntime-web/wasm',
  Tensor,
  ...webParts(OrtSession, env),
};

/** ONNX Runtime's own, with all sessions of the page taking turns: two at once do not work. */
export const { InferenceSession } = wasmRuntime;
export type InferenceSession = OrtSession;

/** Trains models on onnxruntime-web, on the processor alone. */
export const TrainingSession = trainingSessions(wasmRuntime);
export type TrainingSession = import('./training/api.js').TrainingSession;

/** Makes the training artifacts of a forward model, as `onnxruntime.training.artifacts.generate_artifacts` does.
 *  @throws GradwareError for a model that does not train, an op without a gradient, an option that fits nothing */
export function generateArtifacts(
  model: Source,
  options: generator.GenerateOptions = {},
): Promise<generator.GeneratedArtifacts> {
  return generator.generateArtifacts(wasmRuntime, model, options);
}
