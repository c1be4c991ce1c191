import type {
  InferenceSession,
  InferenceSessionFactory,
  TensorConstructor,
} from 'onnxruntime-common';
import type { TensorData } from '../onnx/ir.js';
import { fromTensor, toTensor } from '../runtime/tensors.js';

/** What a test needs of ONNX Runtime: `import * as ort from 'onnxruntime-node'` is one. */
export interface TestRuntime {
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
}

export type Tensors = ReadonlyMap<string, TensorData>;

/** Runs models by name, keeping their sessions until it is released. */
export interface ModelRunner {
  run(model: Uint8Array, feeds: Tensors): Promise<Tensors>;
  release(): Promise<void>;
}

export async function createRunner(
  given: TestRuntime | undefined,
  options: InferenceSession.SessionOptions,
): Promise<ModelRunner> {
  const runtime = given ?? (await import('onnxruntime-node'));
  const sessions = new Map<Uint8Array, InferenceSession>();
  return {
    async run(model, feeds) {
      const session =
        sessions.get(model) ?? (await runtime.InferenceSession.create(model, options));
      sessions.set(model, session);
      const tensors = [...feeds].map(
        ([name, data]) => [name, toTensor(runtime.Tensor, data)] as const,
      );
      const results = await session.run(Object.fromEntries(tensors));
      return new Map(Object.entries(results).map(([name, tensor]) => [name, fromTensor(tensor)]));
    },
    async release() {
      for (const session of sessions.values()) await session.release();
      sessions.clear();
    },
  };
}
