import { env, Tensor, TrainingSession } from '@gradware/core/web';
import mjs from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url';
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';

/** Makes two steps. @returns what they ran on, and the losses; or what went wrong */
globalThis.start = async ({ model, threads, paths }) => {
  if (threads !== undefined) env.wasm.numThreads = threads;
  // Threads start from a file of ONNX Runtime's own, which a bundler has to be told of.
  if (paths) env.wasm.wasmPaths = { mjs, wasm };
  try {
    const session = await TrainingSession.create(model, { executionProviders: ['wasm'] });
    const [x, labels] = session.trainingInputs;
    const batch = {
      [x.name]: new Tensor('float32', new Float32Array(64).fill(0.5), [1, ...x.shape.slice(1)]),
      [labels.name]: new Tensor('int64', [3n], [1]),
    };
    const { losses } = await session.steps([batch, batch]);
    return { ...session.execution, losses: [...losses] };
  } catch (error) {
    return { error: String(error) };
  }
};
