import { InferenceSession, Tensor } from '@gradware/core/wasm';
import { fromTensor, toTensor } from '../../packages/core/src/runtime/tensors.js';
import type { Runner } from './runner.js';

/** Runs models on onnxruntime-web's WebAssembly, in Node. */
export function onWasm(): Runner {
  return {
    async run(model, feeds) {
      const session = await InferenceSession.create(model, {
        executionProviders: ['wasm'],
        logSeverityLevel: 4,
      });
      try {
        const tensors = [...feeds].map(([name, data]) => [name, toTensor(Tensor, data)] as const);
        const results = await session.run(Object.fromEntries(tensors));
        return new Map(Object.entries(results).map(([name, tensor]) => [name, fromTensor(tensor)]));
      } finally {
        await session.release();
      }
    },
    close: async () => undefined,
  };
}
