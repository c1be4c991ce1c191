import { expectNumbers, testPlugin, tryChain } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { elastic } from './elastic.js';

test('keeps to the plugin contract', () => testPlugin(elastic, { options: { lambda: 0.5 } }));

test.each([
  [0, [0.5 * 2, -0.5 * 3, 0]],
  [1, [0.5, -0.5, 0]],
  [0.25, [0.5 * (0.25 + 1.5), -0.5 * (0.25 + 2.25), 0]],
])('with an L1 ratio of %f', async (l1Ratio, wanted) => {
  const [step] = await tryChain([elastic({ lambda: 0.5, l1Ratio })], [{ w: [0, 0, 0] }], {
    weights: { w: [2, -3, 0] },
  });
  expectNumbers(step?.gradients ?? {}, { w: wanted });
});

test('is the derivative of the penalty', async () => {
  const weights = { w: [0.5, -2, 3] };
  const plugin = elastic({ lambda: 0.1, l1Ratio: 0.3 });
  const [step] = await tryChain([plugin], [{ w: [1, 1, 1] }], { weights });
  const penalty = (w: readonly number[]) =>
    0.1 * w.reduce((sum, x) => sum + 0.3 * Math.abs(x) + 0.35 * x * x, 0);
  weights.w.forEach((_, i) => {
    const moved = (by: number) => weights.w.map((x, j) => (i === j ? x + by : x));
    const slope = (penalty(moved(1e-4)) - penalty(moved(-1e-4))) / 2e-4;
    expect(step?.gradients.w?.[i]).toBeCloseTo(1 + slope, 6);
  });
});

test('refuses a ratio above one', () => {
  expect(() => elastic({ l1Ratio: 2 })).toThrow(
    'elastic.l1Ratio must be a number from 0 to 1, not 2',
  );
});
