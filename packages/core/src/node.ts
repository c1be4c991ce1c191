import { env, InferenceSession, Tensor } from 'onnxruntime-node';
import { trainingSessions } from './container.js';
import { findChannelBlock } from './runtime/channel-block.js';
import { nodeFiles } from './runtime/node-files.js';
import { missingInNode } from './runtime/node-providers.js';
import type { Runtime } from './runtime/runtime.js';
import { artifactConverter, artifactGenerator, fallbackInspector } from './tools.js';

export { type CreateOptions, container } from './container.js';
export * from './index.js';
export { env, InferenceSession, Tensor };

/** Asked once. */
let knownBlock: Promise<number | undefined> | undefined;
function channelBlock(): Promise<number | undefined> {
  knownBlock ??= findChannelBlock(InferenceSession, Tensor);
  return knownBlock;
}

/** ONNX Runtime for Node. */
export const nodeRuntime: Runtime = {
  name: 'onnxruntime-node',
  InferenceSession,
  Tensor,
  defaultProvider: 'cpu',
  files: nodeFiles,
  availableMemory: () => process.availableMemory(),
  missing: missingInNode,
  device: async (provider) => (provider === 'cpu' ? { channelBlock: await channelBlock() } : {}),
};

/** Trains models on onnxruntime-node. */
export const TrainingSession = trainingSessions(nodeRuntime);
export type TrainingSession = import('./training/api.js').TrainingSession;

/** Makes the training artifacts of a forward model, as `onnxruntime.training.artifacts.generate_artifacts` does.
 *  @throws GradwareError for a model that does not train, an op without a gradient, an option that fits nothing */
export const generateArtifacts = artifactGenerator(nodeRuntime);

/** Writes training artifacts of any age and container as ORT 1.18 and 1.19 read them: .onnx models and a checkpoint of
 *  version 2.
 *  @throws GradwareError for files that are not training artifacts, or not of one set */
export const convertArtifacts = artifactConverter(nodeRuntime);

/** The nodes of a training step that webgpu would leave to the CPU, and why. Nothing is trained, and no GPU is needed.
 *  @throws GradwareError for what cannot be trained, a loss that does not fit, a dimension that no input has */
export const inspectFallbacks = fallbackInspector(nodeRuntime);
