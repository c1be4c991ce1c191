import type { InferenceSession, Tensor } from 'onnxruntime-common';
import { GradwareError, messageOf } from '../errors.js';
import { filled } from '../graph/constants.js';
import type { ShapeOracle } from '../graph/infer.js';
import { modelOf } from '../graph/model.js';
import { encodeModel } from '../onnx/encode-model.js';
import type { DataType, Graph, TensorData, ValueInfo } from '../onnx/ir.js';
import type { Runtime } from './runtime.js';
import { fromTensor, toTensor } from './tensors.js';

/** What an inference session was not opened for: an op that has no kernel for its types is no fault of the model. */
function refusal(cause: unknown): GradwareError {
  const reason = messageOf(cause);
  if (reason.includes('no available backend'))
    return new GradwareError('RUNTIME', `ONNX Runtime cannot be loaded: ${reason}`, {
      remedy:
        'Serve its .wasm files beside the page, or set env.wasm.wasmPaths; for the dev server of Vite up to 7, set optimizeDeps.exclude to ["onnxruntime-web"].',
      cause,
    });
  const missing = /Could not find an implementation for (\w+)/.exec(reason)?.[1];
  if (missing === undefined)
    return new GradwareError('INVALID_MODEL', `ONNX Runtime refuses the model: ${reason}`, {
      remedy: 'Check the model with onnx.checker.check_model(path, full_check=True).',
      cause,
    });
  return new GradwareError(
    'UNSUPPORTED',
    `ONNX Runtime has no kernel of ${missing} for the types that the model gives it: ${reason}`,
    { remedy: 'Export the model in float32, which every kernel takes.', cause },
  );
}

/** Lets a stock ONNX Runtime infer shapes: on the host's own processor, whatever the training runs on. */
export function createShapeOracle(runtime: Runtime): ShapeOracle {
  async function open(
    graph: Graph,
    domains?: ReadonlyMap<string, number>,
  ): Promise<InferenceSession> {
    const model = encodeModel(modelOf(graph, domains));
    try {
      return await runtime.InferenceSession.create(model, {
        executionProviders: [runtime.defaultProvider],
        // At this level, chains of Shape, Gather, Concat and Reshape resolve; nothing is fused away.
        graphOptimizationLevel: 'basic',
        logSeverityLevel: 4,
      });
    } catch (cause) {
      throw refusal(cause);
    }
  }

  /** On zeros. */
  async function run(graph: Graph): Promise<ReadonlyMap<string, TensorData>> {
    const session = await open(graph);
    const feeds = Object.fromEntries(
      graph.inputs.map(({ name, type, shape }) => {
        const zeros = filled(type as DataType, (shape ?? []) as readonly number[], 0);
        return [name, toTensor(runtime.Tensor, zeros)];
      }),
    );
    try {
      const results = Object.entries(await session.run(feeds));
      return new Map(
        results.flatMap(([name, value]) =>
          'dims' in value ? [[name, fromTensor(value as Tensor)] as const] : [],
        ),
      );
    } catch (cause) {
      const reason = messageOf(cause);
      throw new GradwareError('INVALID_MODEL', `ONNX Runtime cannot run the model: ${reason}`, {
        remedy:
          'Check that ONNX Runtime runs the model on inputs of these shapes, and export it again.',
        cause,
      });
    } finally {
      await session.release();
    }
  }

  return {
    async inference(graph, domains) {
      const session = await open(graph, domains);
      const found = new Map<string, ValueInfo>();
      for (const output of session.outputMetadata)
        if (output.isTensor)
          found.set(output.name, {
            name: output.name,
            type: output.type as DataType,
            shape: output.shape,
          });
      await session.release();
      return found;
    },
    async execution(graph) {
      return new Map(
        [...(await run(graph))].map(([name, { type, dims }]) => [name, { type, shape: dims }]),
      );
    },
    numbers: run,
  };
}
