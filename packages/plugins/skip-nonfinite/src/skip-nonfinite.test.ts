import { readFileSync } from 'node:fs';
import { sgd } from '@gradware/core';
import { expectNumbers, testPlugin, tryChain } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { skipNonfinite } from './skip-nonfinite.js';

test('keeps to the plugin contract', () => testPlugin(skipNonfinite));

// What Optax gives: ../golden/make_golden.py says how.
const golden = JSON.parse(
  readFileSync(new URL('../golden/skip-nonfinite.golden.json', import.meta.url), 'utf8'),
);

const [nan, infinity] = [Number.NaN, Number.POSITIVE_INFINITY];

test('moves the weights as Optax does', async () => {
  // What is not finite is not JSON: the script puts the same numbers there.
  golden.steps[1]['fc.weight'].data[9] = nan;
  golden.steps[3]['fc.weight'].data[9] = infinity;
  const optimizer = sgd({ momentum: 0.9 });
  const options = { weights: golden.weights, optimizer, learningRate: 0.1 };
  const steps = await tryChain([skipNonfinite()], golden.steps, options);
  expect(steps.map(({ dropped }) => dropped)).toEqual([false, true, false, true, false]);
  steps.forEach(({ state }, i) => {
    const wanted = Object.entries(golden.parameters[i]).map(([name, x]) => [
      `parameter/${name}`,
      x,
    ]);
    expectNumbers(state, Object.fromEntries(wanted));
  });
});

test('counts what it skips, and ends training after too many in a row', async () => {
  const given = [1, nan, -infinity, 2, nan, nan, nan, 3].map((x) => ({ w: [0, x] }));
  const steps = await tryChain([skipNonfinite({ stopAfter: 3 })], given);
  const skipped = steps.map(({ metrics }) => metrics['skip-nonfinite.skipped']);
  expect(skipped).toEqual([0, 1, 2, 2, 3, 4, 5, 5]);
  expect(steps.map(({ stopped }) => stopped !== undefined)).toEqual([
    false,
    false,
    false,
    false,
    false,
    false,
    true,
    false,
  ]);
  expect(steps[6]?.stopped).toBe('too many steps in a row had gradients that are not finite');
  expect(steps[6]?.dropped).toBe(true);
});

test('never ends training with Infinity', async () => {
  const given = Array.from({ length: 12 }, () => ({ w: [nan] }));
  const steps = await tryChain([skipNonfinite({ stopAfter: infinity })], given);
  expect(steps.every(({ stopped, dropped }) => dropped && stopped === undefined)).toBe(true);
});

test('refuses to end after none', () => {
  expect(() => skipNonfinite({ stopAfter: 0 })).toThrow(
    'skip-nonfinite.stopAfter must be a whole number >= 1, or Infinity, not 0',
  );
});
