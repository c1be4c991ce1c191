import { readFileSync } from 'node:fs';
import { testPlugin, tryChain } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { autoClip } from './auto-clip.js';

test('keeps to the plugin contract', () => testPlugin(autoClip));
test('keeps to it where the history is shorter than the run', () =>
  testPlugin(autoClip, { options: { history: 2, percentile: 60 } }));

// What NumPy gives: ../golden/make_golden.py says how.
const golden = JSON.parse(
  readFileSync(new URL('../golden/auto-clip.golden.json', import.meta.url), 'utf8'),
);

test.each([0, 10, 50, 77, 100])('takes the percentile %i that NumPy takes', async (percentile) => {
  const steps = await tryChain([autoClip({ percentile, history: 5 })], golden.steps);
  const relative = (values: readonly number[], wanted: readonly number[]) =>
    values.map((value, i) => Math.abs(value / (wanted[i] ?? 0) - 1));
  const metric = (name: string) => steps.map(({ metrics }) => metrics[`auto-clip.${name}`] ?? 0);
  const wanted: readonly number[] = golden[percentile];
  expect(wanted.length).toBe(8);
  expect(Math.max(...relative(metric('max-norm'), wanted))).toBeLessThan(1e-6);
  expect(Math.max(...relative(metric('norm'), golden.norms))).toBeLessThan(1e-6);
  const clipped = wanted.map((limit, i) => Math.min(limit, golden.norms[i]));
  expect(Math.max(...relative(metric('clipped-norm'), clipped))).toBeLessThan(2e-6);
  const found = steps.map(({ gradients }) => Math.hypot(...Object.values(gradients).flat()));
  expect(Math.max(...relative(found, clipped))).toBeLessThan(2e-6);
});

test('forgets nothing and learns nothing from a norm that is not finite', async () => {
  const steps = [{ w: [1] }, { w: [Number.NaN] }, { w: [Number.POSITIVE_INFINITY] }, { w: [3] }];
  const found = await tryChain([autoClip({ percentile: 50 })], steps);
  expect(found.map(({ metrics }) => metrics['auto-clip.max-norm'])).toEqual([1, 1, 1, 2]);
  expect(found[1]?.gradients.w).toEqual([Number.NaN]);
  expect(found[2]?.gradients.w).toEqual([Number.NaN]);
  expect(found[3]?.gradients.w?.[0]).toBeCloseTo(2, 5);
});

test.each([
  [{ percentile: 101 }, 'auto-clip.percentile must be a number from 0 to 100, not 101'],
  [{ history: 0 }, 'auto-clip.history must be a whole number from 1'],
])('refuses %o', (options, problem) => {
  expect(() => autoClip(options)).toThrow(problem);
});
