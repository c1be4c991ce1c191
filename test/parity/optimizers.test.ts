import { adam, adamw, type Optimizer, type Setting, schedules, sgd } from '@gradware/core';
import { createBench, type Tensors } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { at, below, differences, golden, stacked } from './golden.js';

// Five steps of each optimizer in PyTorch: ../golden/make_optimizers.py says how.
const all = golden('optimizers.npz');
const [weights, gradients] = [below(all, 'weights'), below(all, 'gradients')];
const steps = [0, 1, 2, 3, 4];

const schedule = schedules.piecewise(0.01, 1, 0.02, 2, 0.03, 3, 0.015, 4, 0);
const huggingface = { form: 'huggingface', epsilon: 1e-6 } as const;

const cases: Readonly<Record<string, readonly [Optimizer, Setting]>> = {
  adamw: [adamw(), 1e-3],
  'adamw-other': [adamw({ beta1: 0.8, beta2: 0.95, epsilon: 1e-4, weightDecay: 0.1 }), 0.02],
  'adamw-schedule': [adamw(), schedule],
  adam: [adam(), 1e-3],
  'hf-adamw': [adamw({ ...huggingface, weightDecay: 0 }), 1e-3],
  'hf-adamw-decay': [adamw(huggingface), 0.02],
  'hf-adamw-uncorrected': [adamw({ ...huggingface, correctBias: false }), 1e-3],
  sgd: [sgd(), 0.05],
  'sgd-decay': [sgd({ weightDecay: 0.01 }), 0.05],
  'sgd-momentum': [sgd({ momentum: 0.9 }), 0.05],
  'sgd-dampening': [sgd({ momentum: 0.9, dampening: 0.5 }), 0.05],
  'sgd-nesterov': [sgd({ momentum: 0.9, nesterov: true }), 0.05],
  'sgd-nesterov-decay': [sgd({ momentum: 0.9, nesterov: true, weightDecay: 0.01 }), 0.05],
  'sgd-schedule': [sgd({ momentum: 0.9 }), schedule],
};

/** Weights and moments, as the golden files name them. */
function named(state: Tensors): Tensors {
  return new Map(
    [...state].flatMap(([key, tensor]) => {
      const name = key.replace(/^parameter\//, 'parameters/').replace(/^optimizer\//, '');
      return name === 'count' ? [] : [[name, tensor] as const];
    }),
  );
}

test.each(Object.entries(cases))('%s follows PyTorch', async (name, [optimizer, learningRate]) => {
  const wanted = below(all, `${name}/float64`);
  expect(wanted.size).toBeGreaterThanOrEqual(weights.size);
  const bench = await createBench({ plugins: [], optimizer, weights, learningRate });
  const found: Tensors[] = [];
  for (const step of steps) {
    await bench.step(at(gradients, step));
    found.push(named(bench.state()));
  }
  await bench.release();
  expect([...(found[0]?.keys() ?? [])].sort()).toEqual([...wanted.keys()].sort());
  expect(differences(stacked(found), wanted)).toEqual([]);
});

test('every case is compared', () => {
  const names = new Set([...all.keys()].map((key) => key.split('/')[0]));
  expect([...names].sort()).toEqual([...Object.keys(cases), 'gradients', 'weights'].sort());
});
