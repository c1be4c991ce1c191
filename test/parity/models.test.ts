import { readFileSync } from 'node:fs';
import { adamw, TrainingSession } from '@gradware/core/node';
import type { Tensors } from '@gradware/core/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { lossByName } from '../../packages/core/src/losses/index.js';
import type { TensorData } from '../../packages/core/src/onnx/ir.js';
import { decodeModel } from '../../packages/core/src/onnx/model.js';
import { batchOf } from '../support/golden-batch.js';
import { modelGradients } from '../support/model-gradients.js';
import { below, goldenNetworks } from './golden.js';

const learningRate = 5e-3;
const names = [
  'resnet',
  'char-lstm',
  'bi-gru',
  'decoder',
  'vit',
  'mobilenet',
  'unet',
  'spatial-transformer',
];

let arrays: Tensors;
beforeAll(() => {
  arrays = goldenNetworks();
});

const norm = (numbers: Iterable<number>) => Math.hypot(...numbers);

/** Whether gradients are PyTorch's, each relative to its own norm (some true gradients are zero). */
function expectGradients(found: ReadonlyMap<string, Float32Array>, own: Tensors): void {
  const wanted = [...own].filter(([key]) => key.endsWith('_grad'));
  expect([...found.keys()].sort()).toEqual(wanted.map(([key]) => key.slice(0, -5)).sort());
  const whole = norm(wanted.map(([, { data }]) => norm(data as Float32Array)));
  for (const [key, { data }] of wanted) {
    const exact = data as Float32Array;
    const ours = found.get(key.slice(0, -5)) as Float32Array;
    expect(ours).toHaveLength(exact.length);
    const far = norm(ours.map((x, i) => x - (exact[i] ?? 0)));
    expect(far / Math.max(norm(exact), 1e-6 * whole), key).toBeLessThan(1e-4);
  }
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
    const found = [...gradients].map(([key, { data }]) => [key, data as Float32Array] as const);
    expectGradients(new Map(found), own);
  });

  test("follows PyTorch's losses for twenty steps", async () => {
    const own = below(arrays, name);
    const wanted = own.get('losses')?.data as Float32Array;
    const session = await open();
    const batches = Array.from(wanted, (_, step) => batchOf(own, step % 4, type));
    const { losses } = await session.steps(batches);
    expect(losses).toHaveLength(wanted.length);
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

const forms = [
  { form: 'step by step', longestUnrolled: Number.POSITIVE_INFINITY },
  { form: 'as a Scan', longestUnrolled: 0 },
];

describe.each(['char-lstm', 'bi-gru'])('the recurrences of %s', (name) => {
  test.each(forms)("have PyTorch's gradients $form", async ({ longestUnrolled }) => {
    const url = new URL(`../golden/model-${name}.onnx`, import.meta.url);
    const own = below(arrays, name);
    const data = batchOf(own, 0, 'int64');
    const { nodes, gradients } = await modelGradients(
      decodeModel(new Uint8Array(readFileSync(url))),
      new Map(
        Object.entries(data).map(([key, { type, dims, data: values }]) => [
          key,
          { type, dims, data: values } as TensorData,
        ]),
      ),
      lossByName('cross-entropy'),
      [],
      longestUnrolled,
    );
    expect(nodes.some(({ opType }) => opType === 'Scan')).toBe(longestUnrolled === 0);
    const found = [...gradients].map(([key, { data: g }]) => [key, g as Float32Array] as const);
    expectGradients(new Map(found), own);
  });
});
