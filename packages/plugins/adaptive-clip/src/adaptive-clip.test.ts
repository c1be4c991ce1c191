import { readFileSync } from 'node:fs';
import { expectNumbers, testPlugin, tryChain } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { adaptiveClip } from './adaptive-clip.js';

test('keeps to the plugin contract', () => testPlugin(adaptiveClip));
test('keeps to it with units along the last axis', () =>
  testPlugin(adaptiveClip, { options: { lambda: 0.5, axis: -1 } }));

// What Optax gives: ../golden/make_golden.py says how.
const golden = JSON.parse(
  readFileSync(new URL('../golden/adaptive-clip.golden.json', import.meta.url), 'utf8'),
);

test('gives the numbers of Optax', async () => {
  const plugin = adaptiveClip({ lambda: 0.4, epsilon: 0.5, axis: -1 });
  const { gradients, weights, updates } = golden;
  const [step] = await tryChain([plugin], [gradients], { weights });
  expectNumbers(step?.gradients ?? {}, updates);
});

test('clips each row by its own weights, and by epsilon where these are zero', async () => {
  const plugin = adaptiveClip({ lambda: 0.5, epsilon: 0.1 });
  const [step] = await tryChain([plugin], [{ w: { dims: [3, 2], data: [3, 4, 0.3, 0.4, 3, 4] } }], {
    weights: { w: { dims: [3, 2], data: [0, 2, 6, 8, 0, 0] } },
  });
  const wanted = [0.6, 0.8, 0.3, 0.4, 0.03, 0.04];
  expectNumbers(step?.gradients ?? {}, { w: { dims: [6], data: wanted } });
  expect(step?.metrics['adaptive-clip.norm']).toBeCloseTo(Math.hypot(5, 0.5, 5), 5);
  expect(step?.metrics['adaptive-clip.clipped-norm']).toBeCloseTo(Math.hypot(1, 0.5, 0.05), 5);
  expect(step?.metrics['adaptive-clip.fraction']).toBeCloseTo(2 / 3, 6);
});

test('refuses an axis that a tensor does not have, by name', async () => {
  const gradients = { w: { dims: [2, 2], data: [1, 2, 3, 4] } };
  await expect(tryChain([adaptiveClip({ axis: 2 })], [gradients])).rejects.toThrow(
    'adaptive-clip.axis is 2, and w [2,2] has 2 axes',
  );
});
