import { createBench, float32, floats, testPlugin } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { damp } from './damp.js';

test('keeps to the plugin contract', () => testPlugin(damp, { options: { gamma: 2 } }));

async function damped(gamma: number, gradient: readonly number[]) {
  const weights = new Map([['w', float32(gradient)]]);
  const bench = await createBench({ plugins: [damp({ gamma })], weights });
  const { gradients } = await bench.step(weights);
  await bench.release();
  return [...floats(gradients.get('w') as never)];
}

const gradient = Array.from({ length: 101 }, (_, i) => Math.fround((i - 50) / 7));

test.each([0.1, 1, 3])('is g / max(1, e^(-γ g)) with γ = %d', async (gamma) => {
  const found = await damped(gamma, gradient);
  gradient.forEach((g, i) => {
    const exact = g / Math.max(1, Math.exp(-gamma * g));
    expect(Math.abs((found[i] as number) - exact)).toBeLessThan(2e-6 * (1 + Math.abs(exact)));
  });
  expect(Math.min(...found)).toBeGreaterThan(-1.000001 / (Math.E * gamma));
});

test('changes nothing with γ = 0', async () => {
  expect(await damped(0, gradient)).toEqual(gradient);
});

test('lets go of what is far below zero, and keeps what is far above', async () => {
  const found = await damped(1, [-1e30, -200, 1e30]);
  expect(found.map((x) => x + 0)).toEqual([0, 0, Math.fround(1e30)]);
});

test('refuses a negative γ', () => {
  expect(() => damp({ gamma: -1 })).toThrow('damp.gamma must be a number >= 0, not -1');
});
