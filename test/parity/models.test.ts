import { readFileSync } from 'node:fs';
import { adamw, Tensor, TrainingSession } from '@gradware/core/node';
import type { Tensors } from '@gradware/core/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeModel } from '../../packages/core/src/onnx/model.js';
import { at, below, golden } from './golden.js';

const learningRate = 5e-3;
const names = ['resnet', 'char-lstm', 'bi-gru', 'decoder', 'vit', 'mobilenet', 'unet'];

let arrays: Tensors;
beforeAll(() => {
  arrays = golden('models.npz');
});

const norm = (numbers: Iterable<number>) => Math.hypot(...numbers);

/** Batch i, with whole numbers where the model takes them. */
function batchOf(all: Tensors, i: number, type: unknown) {
  const feeds = at(new Map([...all].filter(([key]) => key === 'x' || key === 'labels')), i);
  const feed = (name: string, as: unknown) => {
    const { dims = [], data = [] } = feeds.get(name) ?? {};
    return as === 'int64'
      ? new Tensor(
          'int64',
          BigInt64Array.from(data as Float32Array, (n) => BigInt(n)),
          dims,
        )
      : new Tensor('float32', data as Float32Array, dims);
  };
  return { x: feed('x', type), labels: feed('labels', 'int64') };
}

describe.each(names)('%s', (name) => {
  const bytes = new Uint8Array(
    readFileSync(new URL(`../golden/model-${name}.onnx`, import.meta.url)),
  );
  const type = decodeModel(bytes).graph.inputs[0]?.type;
  const open = () =>
    TrainingSession.create(bytes, {
      loss: 'cross-entropy',
      optimizer: adamw({ weightDecay: 0.01 }),
      learningRate,
    });

  test("has PyTorch's gradients", async () => {
    const own = below(arrays, name);
    const session = await open();
    const { loss } = await session.runTrainStep(batchOf(own, 0, type));
    expect(Number(loss?.data[0])).toBeCloseTo(Number(own.get('loss')?.data[0]), 4);
    const gradients = await session.gradients();
    await session.release();
    const wanted = [...own].filter(([key]) => key.endsWith('_grad'));
    expect([...gradients.keys()].sort()).toEqual(wanted.map(([key]) => key.slice(0, -5)).sort());
    const whole = norm(wanted.map(([, { data }]) => norm(data as Float32Array)));
    for (const [key, { data }] of wanted) {
      const exact = data as Float32Array;
      const ours = gradients.get(key.slice(0, -5))?.data as Float32Array;
      expect(ours).toHaveLength(exact.length);
      const far = norm(ours.map((x, i) => x - (exact[i] ?? 0)));
      expect(far / Math.max(norm(exact), 1e-6 * whole), key).toBeLessThan(1e-4);
    }
  });

  test("follows PyTorch's losses for twenty steps", async () => {
    const own = below(arrays, name);
    const wanted = own.get('losses')?.data as Float32Array;
    const session = await open();
    const batches = Array.from(wanted, (_, step) => batchOf(own, step % 4, type));
    const { losses } = await session.steps(batches);
    for (const [i, loss] of losses.entries())
      expect(Math.abs(loss - (wanted[i] ?? 0)), `step ${i}`).toBeLessThan(1e-3);
    for (const [key, { data }] of below(own, 'statistics')) {
      const ours = (await session.getParameter(key)).data as Float32Array;
      const exact = data as Float32Array;
      expect(norm(ours.map((x, i) => x - (exact[i] ?? 0))) / norm(exact), key).toBeLessThan(1e-3);
    }
    await session.release();
  });
});
