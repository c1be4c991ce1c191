import { Tensor } from 'onnxruntime-node';
import { expect } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { TrainingSession } from '../../packages/core/src/node.js';
import type { Model } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { sgd } from '../../packages/core/src/optimizers/sgd.js';
import type { Feeds, TrainingOptions } from '../../packages/core/src/training/api.js';

/** y = relu(x w1 + b1) w2: small enough to count by hand, large enough to have every part. */
export function smallModel(): Uint8Array {
  const numbers = (length: number, scale: number) =>
    Array.from({ length }, (_, i) => Math.sin(i * 1.7 + scale) * scale);
  const model: Model = {
    graph: {
      name: 'small',
      nodes: [
        {
          name: 'hidden',
          opType: 'Gemm',
          domain: '',
          inputs: ['x', 'w1', 'b1'],
          outputs: ['h'],
          attributes: {},
        },
        { name: 'act', opType: 'Relu', domain: '', inputs: ['h'], outputs: ['a'], attributes: {} },
        {
          name: 'out',
          opType: 'MatMul',
          domain: '',
          inputs: ['a', 'w2'],
          outputs: ['y'],
          attributes: {},
        },
      ],
      inputs: [{ name: 'x', type: 'float32', shape: ['n', 3] }],
      outputs: [{ name: 'y', type: 'float32', shape: ['n', 2] }],
      initializers: new Map([
        ['w1', tensorOf('float32', numbers(12, 0.9), [3, 4])],
        ['b1', tensorOf('float32', numbers(4, 0.3), [4])],
        ['w2', tensorOf('float32', numbers(8, 0.7), [4, 2])],
      ]),
      valueInfo: new Map(),
    },
    opsets: new Map([['', 17]]),
    irVersion: 8,
    functions: [],
    metadata: new Map(),
    producer: 'test',
  };
  return encodeModel(model);
}

export function batch(k: number, scale = 1): Feeds {
  const fill = (length: number, by: number) =>
    Float32Array.from({ length }, (_, i) => Math.sin(i * by + k) * scale);
  return {
    x: new Tensor('float32', fill(15, 0.7), [5, 3]),
    target: new Tensor('float32', fill(10, 1.3), [5, 2]),
  };
}

export const batches = (count: number) => Array.from({ length: count }, (_, k) => batch(k));

export function open(
  options: Parameters<typeof TrainingSession.create>[1] = {},
): Promise<TrainingSession> {
  return TrainingSession.create(smallModel(), {
    loss: 'mse',
    optimizer: sgd({ momentum: 0.9 }),
    learningRate: 0.05,
    ...options,
  });
}

export async function weights(session: TrainingSession): Promise<readonly number[]> {
  return [...((await session.getContiguousParameters()).data as Float32Array)];
}

/** Trains on some batches, one run each, and returns the weights. */
export async function trained(
  options: TrainingOptions,
  given = batches(6),
): Promise<readonly number[]> {
  const session = await open(options);
  for (const each of given) await session.step(each);
  const found = await weights(session);
  await session.release();
  return found;
}

export function close(found: readonly number[], wanted: readonly number[], tolerance = 1e-6): void {
  expect(found.length).toBe(wanted.length);
  found.forEach((value, i) => {
    expect(Math.abs(value - (wanted[i] ?? Number.NaN)), `element ${i}`).toBeLessThan(tolerance);
  });
}
