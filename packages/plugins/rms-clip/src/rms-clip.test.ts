import { readFileSync } from 'node:fs';
import { expectNumbers, testPlugin, tryChain } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { rmsClip } from './rms-clip.js';

test('keeps to the plugin contract', () => testPlugin(rmsClip, { options: { maxRms: 0.3 } }));

// What Optax gives: ../golden/make_golden.py says how.
const golden = JSON.parse(
  readFileSync(new URL('../golden/rms-clip.golden.json', import.meta.url), 'utf8'),
);

test('gives the numbers of Optax', async () => {
  const [step] = await tryChain([rmsClip({ maxRms: 0.8 })], [golden.gradients]);
  expectNumbers(step?.gradients ?? {}, golden.updates);
});

test('scales each tensor by its own root mean square', async () => {
  const [step] = await tryChain([rmsClip({ maxRms: 2 })], [{ a: [3, -3, 3, -3], b: [1, 1] }]);
  expect(step?.gradients).toEqual({ a: [2, -2, 2, -2], b: [1, 1] });
  expect(step?.metrics).toEqual({ 'rms-clip.largest-rms': 3, 'rms-clip.fraction': 0.5 });
});

test('only reports with a maximum of infinity', async () => {
  const large = Number.POSITIVE_INFINITY;
  const [step] = await tryChain([rmsClip({ maxRms: large })], [{ a: [large, 1] }]);
  expect(step?.gradients).toEqual({ a: [large, 1] });
  expect(step?.metrics['rms-clip.largest-rms']).toBe(large);
});

test('refuses a maximum that is not above zero', () => {
  expect(() => rmsClip({ maxRms: 0 })).toThrow('rms-clip.maxRms must be a number > 0, not 0');
});
