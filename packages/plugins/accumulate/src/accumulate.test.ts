import { readFileSync } from 'node:fs';
import { type GradientPlugin, sgd } from '@gradware/core';
import { expectNumbers, testPlugin, tryChain } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { accumulate } from './accumulate.js';

test('keeps to the plugin contract', () => testPlugin(accumulate));
test('keeps to it with sums of one and of three', async () => {
  await testPlugin(accumulate, { options: { n: 1, reduction: 'sum' } });
  await testPlugin(accumulate, { options: { n: 3, reduction: 'sum' } });
});

// What Optax gives: ../golden/make_golden.py says how.
const golden = JSON.parse(
  readFileSync(new URL('../golden/accumulate.golden.json', import.meta.url), 'utf8'),
);

test.each(['mean', 'sum'] as const)(
  'moves the weights as Optax does by the %s',
  async (reduction) => {
    const options = { weights: golden.weights, optimizer: sgd(), learningRate: 0.1 };
    const steps = await tryChain([accumulate({ n: 3, reduction })], golden.steps, options);
    expect(steps.map(({ applied }) => applied)).toEqual([false, false, true, false, false, true]);
    steps.forEach(({ state }, i) => {
      expectNumbers(parameters(state), golden[reduction][i]);
    });
  },
);

function parameters(state: Readonly<Record<string, readonly number[]>>) {
  const own = Object.entries(state).filter(([key]) => key.startsWith('parameter/'));
  return Object.fromEntries(own.map(([key, value]) => [key.slice('parameter/'.length), value]));
}

const given = [1, 2, 3, 4, 5, 6].map((x) => ({ a: [x], b: [10 * x] }));

test('holds only its own parameters', async () => {
  const steps = await tryChain([accumulate({ n: 2, include: 'a' })], given.slice(0, 4));
  expect(steps.map(({ gradients }) => gradients)).toEqual([
    { a: [0], b: [10] },
    { a: [1.5], b: [20] },
    { a: [1.5], b: [30] },
    { a: [3.5], b: [40] },
  ]);
});

test('takes as many micro-batches as its setting says at the time', async () => {
  const plugin = accumulate({ n: (step) => (step < 2 ? 2 : 3) });
  const steps = await tryChain([plugin], given.slice(0, 5));
  expect(steps.map(({ applied }) => applied)).toEqual([false, true, false, false, true]);
  expect(steps.at(-1)?.gradients).toEqual({ a: [4], b: [40] });
});

/** Drops the step at which it sees a number above a limit. */
const guard = (limit: number): GradientPlugin => ({
  name: 'guard',
  transform(gradients, { op, drop }) {
    drop(op.Greater(op.globalNorm(gradients), limit));
    return gradients;
  },
});
const spoiled = [{ a: [1] }, { a: [100] }, { a: [3] }, { a: [5] }, { a: [7] }];

test('does not count a micro-batch that an earlier plugin drops', async () => {
  const steps = await tryChain([guard(50), accumulate({ n: 2 })], spoiled);
  expect(steps.map(({ applied }) => applied)).toEqual([false, false, true, false, true]);
  expect(steps.map(({ gradients }) => gradients.a)).toEqual([[0], [0], [2], [2], [6]]);
});

test('begins anew after a later plugin drops the step', async () => {
  const steps = await tryChain([accumulate({ n: 2 }), guard(20)], spoiled);
  expect(steps.map(({ dropped }) => dropped)).toEqual([false, true, false, false, false]);
  expect(steps.map(({ gradients }) => gradients.a)).toEqual([[0], [0], [0], [4], [4]]);
});

test('refuses a number that is not whole', () => {
  expect(() => accumulate({ n: 1.5 })).toThrow('accumulate.n must be a whole number >= 1, not 1.5');
});
