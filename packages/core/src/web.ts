import { env, InferenceSession as OrtSession, Tensor } from 'onnxruntime-web/webgpu';
import { trainingSessions } from './container.js';
import type { Runtime } from './runtime/runtime.js';
import { webParts } from './runtime/web-parts.js';
import { artifactConverter, artifactGenerator, fallbackInspector } from './tools.js';

export { type CreateOptions, container } from './container.js';
export * from './index.js';
export { env, Tensor };

/** ONNX Runtime for browsers: the build with the native WebGPU provider, never the default one with its old kernels. */
export const webRuntime: Runtime = {
  name: 'onnxruntime-web',
  ...webParts(OrtSession, env, Tensor),
};

/** ONNX Runtime's own, with all sessions of the page taking turns: two at once do not work. */
export const { InferenceSession } = webRuntime;
export type InferenceSession = OrtSession;
export declare namespace InferenceSession {
  type SessionOptions = OrtSession.SessionOptions;
  type RunOptions = OrtSession.RunOptions;
  type FeedsType = OrtSession.FeedsType;
  type FetchesType = OrtSession.FetchesType;
  type ReturnType = OrtSession.ReturnType;
  type OnnxValueMapType = OrtSession.OnnxValueMapType;
}

/** Trains models on onnxruntime-web. */
export const TrainingSession = trainingSessions(webRuntime);
export type TrainingSession = import('./training/api.js').TrainingSession;

/** Makes the training artifacts of a forward model, as `onnxruntime.training.artifacts.generate_artifacts` does.
 *  @throws GradwareError for a model that does not train, an op without a gradient, an option that fits nothing */
export const generateArtifacts = /* @__PURE__ */ artifactGenerator(webRuntime);

/** Writes training artifacts of any age and container as ORT 1.18 and 1.19 read them: .onnx models and a checkpoint of
 *  version 2.
 *  @throws GradwareError for files that are not training artifacts, or not of one set */
export const convertArtifacts = /* @__PURE__ */ artifactConverter(webRuntime);

/** The nodes of a training step that webgpu would leave to the CPU, and why. Nothing is trained, and no GPU is needed.
 *  @throws GradwareError for what cannot be trained, a loss that does not fit, a dimension that no input has */
export const inspectFallbacks = /* @__PURE__ */ fallbackInspector(webRuntime);
