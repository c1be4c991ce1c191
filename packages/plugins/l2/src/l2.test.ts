import { createBench, float32, floats, testPlugin } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { l2 } from './l2.js';

test('keeps to the plugin contract', () => testPlugin(l2, { options: { lambda: 0.5 } }));

test('adds the weights, times lambda, where it is meant to', async () => {
  const weights = new Map([
    ['fc.weight', float32([1, -2])],
    ['fc.bias', float32([8])],
  ]);
  const plugins = [l2({ lambda: (step) => 0.5 * step, exclude: '*.bias' })];
  const bench = await createBench({ plugins, weights });
  const gradients = new Map([
    ['fc.weight', float32([0.25, 0])],
    ['fc.bias', float32([3])],
  ]);
  const seen = async () => {
    const result = await bench.step(gradients);
    return [...result.gradients.values()].map((tensor) => [...floats(tensor)]);
  };
  expect(await seen()).toEqual([[0.25, 0], [3]]);
  // The weights moved by the gradient before: 1 - 0.25, -2 - 0.
  expect(await seen()).toEqual([[0.25 + 0.375, -1], [3]]);
  await bench.release();
});

test('refuses a negative lambda', () => {
  expect(() => l2({ lambda: -1 })).toThrow('l2.lambda must be a number >= 0, not -1');
});
