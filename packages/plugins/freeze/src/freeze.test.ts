import { readFileSync } from 'node:fs';
import { adam, adamw, sgd } from '@gradware/core';
import { expectNumbers, testPlugin, tryChain } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { freeze } from './freeze.js';

test('keeps to the plugin contract', () => testPlugin(freeze));

const given = Array.from({ length: 4 }, () => ({ a: [1], b: [1] }));
const options = { weights: { a: [8], b: [8] }, optimizer: sgd({ momentum: 0.5 }), learningRate: 1 };

test('holds what it is told to until its step, moments too', async () => {
  const steps = await tryChain([freeze({ include: 'a', until: 2 })], given, options);
  expect(steps.map(({ state }) => state['parameter/a']?.[0])).toEqual([8, 8, 7, 5.5]);
  expect(steps.map(({ state }) => state['parameter/b']?.[0])).toEqual([7, 5.5, 3.75, 1.875]);
});

test('holds for ever without a step, and everything without a name', async () => {
  const steps = await tryChain([freeze()], given, options);
  expect(steps.at(-1)?.state['parameter/a']).toEqual([8]);
  expect(steps.at(-1)?.state['parameter/b']).toEqual([8]);
  expect(steps.every(({ applied }) => !applied)).toBe(true);
});

// What PyTorch gives: ../golden/make_golden.py says how.
const golden = JSON.parse(
  readFileSync(new URL('../golden/freeze.golden.json', import.meta.url), 'utf8'),
);
const thawing = () => [
  freeze({ include: 'first', until: 2 }),
  freeze({ include: ['first', 'second'], until: 1 }),
  freeze({ include: 'first', from: 2, until: 3 }),
];

test.each([
  ['adam', adam()],
  ['adamw', adamw({ weightDecay: 0.05 })],
  ['sgd', sgd({ momentum: 0.9, dampening: 0.5 })],
] as const)(
  'thaws for %s as in PyTorch, where each weight counts its own updates',
  async (name, optimizer) => {
    const options = { weights: golden.weights, optimizer, learningRate: 0.1 };
    const steps = await tryChain(thawing(), golden.steps, options);
    expect(steps.length).toBe(6);
    for (const [i, { state }] of steps.entries()) {
      const own = Object.entries(state).filter(([key]) => key.startsWith('parameter/'));
      expectNumbers(
        Object.fromEntries(own.map(([key, value]) => [key.slice('parameter/'.length), value])),
        golden[name][i],
      );
    }
  },
);

test('takes frozen gradients out of the norms of later plugins', async () => {
  const seen: number[] = [];
  const norm = {
    name: 'norm',
    transform(gradients, { op, metric }) {
      metric('norm', op.globalNorm(gradients));
      return gradients;
    },
  } satisfies Parameters<typeof tryChain>[0][number];
  const steps = await tryChain([freeze({ include: 'a', until: 1 }), norm], given.slice(0, 2));
  for (const { metrics } of steps) seen.push(metrics['norm.norm'] as number);
  expect(seen).toEqual([1, Math.fround(Math.SQRT2)]);
});
