import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Contender } from '../rounds.js';
import { batchOf, type Noise } from './data.js';
import type { ArtifactSet } from './files.js';

/** What of onnxruntime-web/training, as its last release (1.19.2) had it, is needed here. */
interface OrtTraining {
  readonly TrainingSession: { create(artifacts: object, options?: object): Promise<OrtSession> };
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => unknown;
  readonly env: {
    logLevel?: string;
    readonly wasm: { numThreads?: number; wasmPaths?: { wasm: string; mjs: string } };
  };
}

interface OrtSession {
  readonly trainingInputNames: readonly string[];
  runTrainStep(feeds: Readonly<Record<string, unknown>>): Promise<unknown>;
  runOptimizerStep(): Promise<void>;
  lazyResetGrad(): Promise<void>;
}

/** ORT's training runtime, in Node: its exports map closes that door, so the file is imported by its URL. */
async function load(): Promise<OrtTraining> {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-training-web');
  const url = (file: string) => pathToFileURL(join(dirname(entry), file)).href;
  const ort = (await import(url('ort.training.wasm.mjs'))) as OrtTraining;
  ort.env.logLevel = 'error';
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = {
    wasm: url('ort-training-wasm-simd-threaded.wasm'),
    mjs: url('ort-training-wasm-simd-threaded.mjs'),
  };
  return ort;
}

/** ORT's own training runtime over artifacts: wasm, one thread. */
export async function ortContender(set: ArtifactSet, data: Noise): Promise<Contender> {
  const { TrainingSession, Tensor } = await load();
  const session = await TrainingSession.create(set.files);
  const [input = '', labels = ''] = session.trainingInputNames;
  const feeds = Array.from({ length: data.batches }, (_, k) => {
    const part = batchOf(data, k);
    return {
      [input]: new Tensor('float32', part.images, part.dims),
      [labels]: new Tensor(set.labels, part.labels, [data.batch]),
    };
  });
  return {
    name: 'ONNX Runtime 1.19.2, wasm',
    run: async (steps) => {
      const start = performance.now();
      for (let k = 0; k < steps; k++) {
        await session.runTrainStep(feeds[k % feeds.length] ?? {});
        await session.runOptimizerStep();
        await session.lazyResetGrad();
      }
      return (performance.now() - start) / steps;
    },
  };
}
