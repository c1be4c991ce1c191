import { readFileSync } from 'node:fs';
import { adamw, sgd } from '@gradware/core';
import { expectNumbers, testPlugin, tryChain } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { weightDecay } from './weight-decay.js';

test('keeps to the plugin contract', () => testPlugin(weightDecay));
test('keeps to it without the learning rate', () =>
  testPlugin(weightDecay, { options: { scaled: false } }));

// What Optax gives: ../golden/make_golden.py says how.
const golden = JSON.parse(
  readFileSync(new URL('../golden/weight-decay.golden.json', import.meta.url), 'utf8'),
);

type State = Readonly<Record<string, readonly number[]>> | undefined;

function parameters(state: State) {
  const own = Object.entries(state ?? {}).filter(([key]) => key.startsWith('parameter/'));
  return Object.fromEntries(own.map(([key, value]) => [key.slice('parameter/'.length), value]));
}

test('moves the weights as Optax does', async () => {
  const optimizer = sgd({ momentum: 0.9 });
  const options = { weights: golden.weights, optimizer, learningRate: 0.05 };
  const steps = await tryChain([weightDecay({ lambda: 0.3 })], golden.steps, options);
  expect(steps.length).toBe(4);
  steps.forEach(({ state }, i) => {
    expectNumbers(parameters(state), golden.parameters[i]);
  });
});

test("makes of Adam what AdamW's own decay makes of it", async () => {
  const options = { weights: golden.weights, learningRate: (step: number) => 0.01 * (step + 1) };
  const own = adamw({ weightDecay: 0.2 });
  const [apart, inside] = [
    await tryChain([weightDecay({ lambda: 0.2 })], golden.steps, {
      ...options,
      optimizer: adamw({ weightDecay: 0 }),
    }),
    await tryChain([], golden.steps, { ...options, optimizer: own }),
  ];
  for (const [i, { state }] of apart.entries()) {
    const wanted = Object.entries(parameters(inside[i]?.state));
    expectNumbers(parameters(state), Object.fromEntries(wanted));
  }
});

test('decays by lambda alone where it is told so, and only what it is meant to', async () => {
  const weights = { a: [8], b: [8] };
  const plugin = weightDecay({ lambda: 0.25, scaled: false, exclude: 'b' });
  const [step] = await tryChain([plugin], [{ a: [0], b: [0] }], {
    weights,
    optimizer: sgd(),
    learningRate: 0.5,
  });
  expect(parameters(step?.state)).toEqual({ a: [6], b: [8] });
});

test('refuses a negative lambda', () => {
  expect(() => weightDecay({ lambda: -1 })).toThrow('weight-decay.lambda must be a number >= 0');
});
