import { readFileSync } from 'node:fs';
import { expectNumbers, testPlugin, tryChain } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { ema } from './ema.js';

test('keeps to the plugin contract', () => testPlugin(ema));
test('keeps to it without correction', () => testPlugin(ema, { options: { debias: false } }));

// What Optax gives: ../golden/make_golden.py says how.
const golden = JSON.parse(
  readFileSync(new URL('../golden/ema.golden.json', import.meta.url), 'utf8'),
);

test.each([
  ['debiased', true],
  ['plain', false],
] as const)('gives the numbers of Optax, %s', async (name, debias) => {
  const steps = await tryChain([ema({ decay: 0.8, debias })], golden.steps);
  expect(steps.length).toBe(5);
  steps.forEach(({ gradients }, i) => {
    expectNumbers(gradients, golden[name][i]);
  });
});

test('is the gradient itself at the first step, to the last digits', async () => {
  const [step] = await tryChain([ema({ decay: 0.9999 })], [{ w: [1, -0.1, 3e5] }]);
  expectNumbers(step?.gradients ?? {}, { w: [1, -0.1, 3e5] }, 2e-7);
});

test('corrects also where decay changes', async () => {
  const decays = [0.5, 0.9, 0.2];
  const plugin = ema({ decay: (step) => decays[step] ?? 0 });
  const steps = await tryChain([plugin], [{ w: [1] }, { w: [1] }, { w: [1] }]);
  for (const { gradients } of steps) expectNumbers(gradients, { w: [1] });
});

test('refuses to forget nothing', () => {
  expect(() => ema({ decay: 1 })).toThrow('ema.decay must be a number >= 0 and < 1, not 1');
});
