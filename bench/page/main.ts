import wasmWithGpuLoader from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url';
import wasmWithGpu from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';
import wasmLoader from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import type { Task, Trainer } from './contender.js';

type Ours = Parameters<typeof import('./gradware.js').gradware>;

/** Threads start from files of ONNX Runtime's own. */
const paths = {
  wasm: { mjs: wasmLoader, wasm },
  webgpu: { mjs: wasmWithGpuLoader, wasm: wasmWithGpu },
} as const;

async function ours(
  build: keyof typeof paths,
  task: Task,
  provider: Ours[2],
  many: boolean,
): Promise<Trainer> {
  const { gradware } = await import('./gradware.js');
  const entry =
    build === 'wasm' ? await import('@gradware/core/wasm') : await import('@gradware/core/web');
  entry.env.wasm.wasmPaths = paths[build];
  return gradware(entry, task, provider, many);
}

/** Who may be asked to train; each is loaded only when it is. */
const contenders: Readonly<Record<string, (task: Task) => Promise<Trainer>>> = {
  'gradware wasm': (task) => ours('wasm', task, 'wasm', true),
  'gradware wasm, one step per run': (task) => ours('wasm', task, 'wasm', false),
  'gradware wasm in the webgpu build': (task) => ours('webgpu', task, 'wasm', true),
  'gradware webgpu': (task) => ours('webgpu', task, 'webgpu', true),
  'jax-js wasm': async (task) => (await import('./jax.js')).jax(task, 'wasm'),
  'jax-js webgpu': async (task) => (await import('./jax.js')).jax(task, 'webgpu'),
  'TensorFlow.js cpu': async (task) => (await import('./tensorflow.js')).tensorflow(task, 'cpu'),
  'TensorFlow.js wasm': async (task) => (await import('./tensorflow.js')).tensorflow(task, 'wasm'),
  'TensorFlow.js webgl': async (task) =>
    (await import('./tensorflow.js')).tensorflow(task, 'webgl'),
  'TensorFlow.js webgpu': async (task) =>
    (await import('./tensorflow.js')).tensorflow(task, 'webgpu'),
};

let trainer: Trainer | undefined;

const bench = {
  /** Opens a contender and makes its first step. @returns the loss */
  async open(name: string, task: Task): Promise<number> {
    const make = contenders[name];
    if (make === undefined) throw new Error(`There is no contender "${name}"`);
    trainer = await make(task);
    return trainer.train(1);
  },
  /** @returns milliseconds per step, and the last loss */
  async run(steps: number): Promise<{ readonly ms: number; readonly loss: number }> {
    const began = performance.now();
    const loss = (await trainer?.train(steps)) ?? Number.NaN;
    return { ms: (performance.now() - began) / steps, loss };
  },
};

Object.assign(globalThis, { bench });
