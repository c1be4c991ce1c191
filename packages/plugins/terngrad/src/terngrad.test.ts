import { createBench, float32, floats, testPlugin } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { terngrad } from './terngrad.js';

type Given = Parameters<typeof terngrad>[0];

test('keeps to the plugin contract', () => testPlugin(terngrad));
test('keeps to it without clipping', () =>
  testPlugin(terngrad, { options: { clip: Number.POSITIVE_INFINITY } }));

async function sample(options: Given, gradient: readonly number[], steps: number) {
  const weights = new Map([['w', float32(gradient)]]);
  const bench = await createBench({ plugins: [terngrad(options)], weights, seed: 5 });
  const results = [];
  for (let i = 0; i < steps; i++) {
    const { gradients, metrics } = await bench.step(weights);
    results.push({ gradient: [...floats(gradients.get('w') as never)], metrics });
  }
  await bench.release();
  return results;
}

/** What the paper clips a tensor to, in double precision. */
function clipped(gradient: readonly number[], c: number): readonly number[] {
  const mean = gradient.reduce((sum, x) => sum + x, 0) / gradient.length;
  const variance = gradient.reduce((sum, x) => sum + (x - mean) ** 2, 0) / gradient.length;
  const bound = c * Math.sqrt(variance);
  return gradient.map((x) => Math.min(Math.max(x, -bound), bound));
}

const gradient = [0.1, -0.3, 0.05, 0, 2, -0.02, 0.2, -0.15];

test.each([2.5, 1, 0.3, Number.POSITIVE_INFINITY])(
  'gives three levels with the mean of the gradient, clipped to %d σ',
  async (clip) => {
    const steps = 3000;
    const exact = clip === Number.POSITIVE_INFINITY ? gradient : clipped(gradient, clip);
    const s = Math.max(...exact.map(Math.abs));
    const results = await sample({ clip }, gradient, steps);
    exact.forEach((wanted, i) => {
      const values = results.map((result) => result.gradient[i] as number);
      for (const value of values) {
        const code = value / s;
        expect(Math.abs(code - Math.round(code))).toBeLessThan(1e-5);
        expect(Math.abs(code)).toBeLessThan(1.00001);
      }
      const mean = values.reduce((sum, x) => sum + x, 0) / steps;
      const chance = Math.abs(wanted) / s;
      const deviation = s * Math.sqrt((chance * (1 - chance)) / steps);
      expect(Math.abs(mean - wanted)).toBeLessThan(4 * deviation + 1e-5);
    });
  },
);

test('leaves a single element, and elements that are all the same', async () => {
  for (const same of [[0.3], [-2, -2, -2]]) {
    const [result] = await sample({}, same, 1);
    expect(result?.gradient).toEqual(same.map(Math.fround));
  }
});

test('reports two bits for every element, and a scale', async () => {
  const [result] = await sample({}, Array(21).fill(1), 1);
  expect(result?.metrics['terngrad.bytes']).toBe(6 + 4);
});

test('refuses a bound that is not above zero', () => {
  expect(() => terngrad({ clip: 0 })).toThrow('terngrad.clip must be a number > 0, not 0');
});
