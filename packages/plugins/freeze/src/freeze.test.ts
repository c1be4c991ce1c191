import { sgd } from '@gradware/core';
import { testPlugin, tryChain } from '@gradware/core/testing';
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
