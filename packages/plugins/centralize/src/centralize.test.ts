import { readFileSync } from 'node:fs';
import { expectNumbers, testPlugin, tryChain } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { centralize } from './centralize.js';

test('keeps to the plugin contract', () => testPlugin(centralize));
test('keeps to it along the last axis', () => testPlugin(centralize, { options: { axis: -1 } }));

// What Optax gives: ../golden/make_golden.py says how.
const golden = JSON.parse(
  readFileSync(new URL('../golden/centralize.golden.json', import.meta.url), 'utf8'),
);

test('gives the numbers of Optax', async () => {
  const [step] = await tryChain([centralize()], [golden.gradients]);
  expectNumbers(step?.gradients ?? {}, golden.updates);
});

test('takes the mean over all axes but its own', async () => {
  const w = { dims: [2, 3], data: [1, 2, 3, 4, 6, 11] };
  const [rows] = await tryChain([centralize()], [{ w }]);
  expect(rows?.gradients.w).toEqual([-1, 0, 1, -3, -1, 4]);
  const [columns] = await tryChain([centralize({ axis: -1 })], [{ w }]);
  expect(columns?.gradients.w).toEqual([-1.5, -2, -4, 1.5, 2, 4]);
});

test('refuses an axis that a tensor does not have, by name', async () => {
  const gradients = { w: { dims: [2, 2], data: [1, 2, 3, 4] } };
  await expect(tryChain([centralize({ axis: -3 })], [gradients])).rejects.toThrow(
    'centralize.axis is -3, and w [2,2] has 2 axes',
  );
});
