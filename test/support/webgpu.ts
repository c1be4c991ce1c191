import { existsSync } from 'node:fs';
import type { Runtime } from '@gradware/core';
import { nodeRuntime, TrainingSession } from '@gradware/core/node';
import { lossScale } from '@gradware/plugin-loss-scale';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { perceptron } from './perceptron.js';

/** Where Debian's chromium puts its software GPU. */
const swiftShader = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** Why this machine has no GPU, not even one of software; undefined where it has one. To be awaited before anything
 *  else opens a session on it: the driver is looked for once. */
export async function noWebgpu(): Promise<string | undefined> {
  if (process.env.VK_DRIVER_FILES === undefined && existsSync(swiftShader))
    process.env.VK_DRIVER_FILES = swiftShader;
  // The driver complains where it finds no folder of this kind.
  process.env.XDG_RUNTIME_DIR ??= '/tmp';
  try {
    const session = await InferenceSession.create(perceptron([1, 1]), {
      executionProviders: ['webgpu'],
      logSeverityLevel: 4,
    });
    await session.run({ x: new Tensor('float32', [1], [1, 1]) });
    await session.release();
    return undefined;
  } catch (error) {
    return `no WebGPU: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Why the GPU does not compute in float16; undefined where it does. */
export async function noHalfPrecision(): Promise<string | undefined> {
  const missing = await noWebgpu();
  if (missing !== undefined) return missing;
  try {
    const session = await TrainingSession.create(perceptron([2, 2]), {
      executionProviders: ['webgpu'],
      mixedPrecision: lossScale(),
    });
    await session.release();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What a watched runtime saw. */
export interface Watch {
  readonly runtime: Runtime;
  /** Tensors on the GPU that nobody has disposed of. */
  alive(): number;
  /** Numbers that the runs since the last call brought to the host. */
  fetched(): number;
  /** Makes the next run, or one after it, fail as a driver would. */
  failNext(message: string, runsBefore?: number): void;
}

/** Looks over the shoulder of ONNX Runtime. */
export function watched(bound: Runtime = nodeRuntime): Watch {
  const alive = new Set<Tensor>();
  let numbers = 0;
  let failure: { readonly message: string; readonly in: number } | undefined;

  function see(tensor: Tensor): void {
    if (tensor.location !== 'gpu-buffer') {
      numbers += tensor.size;
      return;
    }
    alive.add(tensor);
    const dispose = tensor.dispose.bind(tensor);
    tensor.dispose = () => {
      alive.delete(tensor);
      dispose();
    };
  }

  async function create(...given: Parameters<typeof InferenceSession.create>) {
    const session = await bound.InferenceSession.create(...given);
    const run = session.run.bind(session);
    session.run = async (...values: unknown[]) => {
      if (failure?.in === 0) {
        const { message } = failure;
        failure = undefined;
        throw new Error(message);
      }
      if (failure !== undefined) failure = { ...failure, in: failure.in - 1 };
      const results = await run(...(values as Parameters<InferenceSession['run']>));
      for (const tensor of Object.values(results)) see(tensor as Tensor);
      return results;
    };
    return session;
  }

  return {
    runtime: { ...bound, InferenceSession: { create } as Runtime['InferenceSession'] },
    alive: () => alive.size,
    fetched() {
      const seen = numbers;
      numbers = 0;
      return seen;
    },
    failNext(message, runsBefore = 0) {
      failure = { message, in: runsBefore };
    },
  };
}
