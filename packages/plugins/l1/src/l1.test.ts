import { testPlugin, tryChain } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { l1 } from './l1.js';

test('keeps to the plugin contract', () => testPlugin(l1, { options: { lambda: 0.5 } }));

test('adds lambda with the sign of the weight, where it is meant to', async () => {
  const [step] = await tryChain(
    [l1({ lambda: 0.25, exclude: '*.bias' })],
    [{ 'fc.weight': [1, 1, 1, -1], 'fc.bias': [3] }],
    { weights: { 'fc.weight': [8, -0.001, 0, 1e-30], 'fc.bias': [-5] } },
  );
  expect(step?.gradients).toEqual({ 'fc.weight': [1.25, 0.75, 1, -0.75], 'fc.bias': [3] });
});

test('is the derivative of the penalty', async () => {
  const weights = { w: [0.5, -2, 3] };
  const [step] = await tryChain([l1({ lambda: 0.1 })], [{ w: [0, 0, 0] }], { weights });
  const penalty = (w: readonly number[]) => 0.1 * w.reduce((sum, x) => sum + Math.abs(x), 0);
  weights.w.forEach((_, i) => {
    const moved = (by: number) => weights.w.map((x, j) => (i === j ? x + by : x));
    const slope = (penalty(moved(1e-4)) - penalty(moved(-1e-4))) / 2e-4;
    expect(step?.gradients.w?.[i]).toBeCloseTo(slope, 6);
  });
});

test('refuses a negative lambda', () => {
  expect(() => l1({ lambda: -1 })).toThrow('l1.lambda must be a number >= 0, not -1');
});
