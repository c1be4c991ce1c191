import { createBench, float32, floats, testPlugin } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { quantize } from './quantize.js';

const roundings = ['nearest', 'stochastic'] as const;
const cases = [2, 3, 8, 11, 16].flatMap((bits) =>
  roundings.map((rounding) => ({ bits, rounding, errorFeedback: bits % 2 === 1 })),
);

test.each(cases)('keeps to the plugin contract with %o', (options) =>
  testPlugin(quantize, { options }),
);

test.each([0, 1, 3])('keeps to it with a scale for each channel along axis %i', (axis) =>
  testPlugin(quantize, { options: { per: 'channel', axis, bits: 5 } }),
);

type Given = Parameters<typeof quantize>[0];

async function run(options: Given, steps: readonly (readonly number[])[]) {
  const weights = new Map([['w', float32(steps[0] ?? [])]]);
  const bench = await createBench({ plugins: [quantize(options)], weights, seed: 3 });
  const results = [];
  for (const step of steps) {
    const { gradients, metrics } = await bench.step(new Map([['w', float32(step)]]));
    results.push({ gradient: [...floats(gradients.get('w') as never)], metrics });
  }
  const residual = bench.state().get('plugin/quantize.residual/w');
  await bench.release();
  return { results, residual: residual && [...floats(residual)] };
}

test('rounds to even multiples of the scale', async () => {
  // The scale is 7 / 7 = 1.
  const { results } = await run({ bits: 4 }, [[7, 0.5, 1.5, -2.5, -0.4, 6.6, -7]]);
  expect(results[0]?.gradient.map((x) => x + 0)).toEqual([7, 0, 2, -2, 0, 7, -7]);
});

test.each([2, 5, 8, 16])('is off by half a step at most with %i bits', async (bits) => {
  const gradient = Array.from({ length: 1000 }, (_, i) => Math.fround(Math.sin(i * i)));
  const { results } = await run({ bits }, [gradient]);
  const largest = Math.max(...gradient.map(Math.abs));
  const scale = largest / (2 ** (bits - 1) - 1);
  const found = results[0]?.gradient ?? [];
  const errors = found.map((x, i) => Math.abs(x - (gradient[i] as number)));
  expect(Math.max(...errors)).toBeLessThan(scale * 0.5001 + 1e-7);
  expect(new Set(found.map((x) => Math.round(x / scale))).size).toBeLessThan(2 ** bits);
});

test('is right on average with stochastic rounding, and bound to neighbouring levels', async () => {
  const gradient = [1, 0.3, -0.77, 0.01, 0];
  const { results } = await run(
    { bits: 3, rounding: 'stochastic' },
    Array.from({ length: 3000 }, () => gradient),
  );
  const scale = 1 / 3;
  gradient.forEach((exact, i) => {
    const values = results.map((result) => result.gradient[i] as number);
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    expect(Math.abs(mean - exact)).toBeLessThan(0.02);
    for (const value of values) expect(Math.abs(value - exact)).toBeLessThan(scale * 1.0001);
  });
});

test('gives back later what it rounded away', async () => {
  const steps = Array.from({ length: 50 }, () => [1, 0.1, -0.03]);
  const { results, residual } = await run({ bits: 2, errorFeedback: true }, steps);
  const sums = [0, 1, 2].map((i) => results.reduce((sum, r) => sum + (r.gradient[i] ?? 0), 0));
  [50, 5, -1.5].forEach((exact, i) => {
    expect((sums[i] as number) + (residual?.[i] as number)).toBeCloseTo(exact, 3);
  });
  expect(residual?.some((x) => x !== 0)).toBe(true);
});

test.each([0, 1, 2])('has a scale for each slice along axis %i', async (axis) => {
  const dims = [3, 4, 2];
  const at = (i: number) => [Math.floor(i / 8), Math.floor(i / 2) % 4, i % 2][axis] as number;
  const data = Array.from({ length: 24 }, (_, i) => Math.fround(Math.sin(i + 1) * 10 ** at(i)));
  const weights = new Map([['w', float32({ dims, data })]]);
  const plugins = [quantize({ bits: 4, per: 'channel', axis })];
  const bench = await createBench({ plugins, weights });
  const { gradients, metrics } = await bench.step(weights);
  await bench.release();
  const largest = data.map((_, i) =>
    data.reduce((most, x, j) => (at(j) === at(i) ? Math.max(most, Math.abs(x)) : most), 0),
  );
  const exact = data.map((x, i) => {
    const scale = (largest[i] as number) / 7;
    return Math.round(x / scale) * scale;
  });
  [...floats(gradients.get('w') as never)].forEach((x, i) => {
    expect(Math.abs(x - (exact[i] as number))).toBeLessThan(1e-6 * (largest[i] as number));
  });
  expect(metrics['quantize.bytes']).toBe(12 + 4 * (dims[axis] as number));
});

test.each(roundings)('sends the very levels that it computes, %s', async (rounding) => {
  // In the middle between two levels, as far as float32 goes.
  const scale = Math.fround(0.7 / 32767);
  const middles = Array.from({ length: 4000 }, (_, i) => Math.fround((8 * i + 0.5) * scale));
  const weights = new Map([
    ['a', float32([0.7, ...middles])],
    ['b', float32([1])],
  ]);
  const whole = quantize({ bits: 16, rounding });
  const { transform: _, ...sent } = whole;
  const results = [];
  for (const plugin of [whole, sent]) {
    const bench = await createBench({ plugins: [plugin], weights });
    results.push([...floats((await bench.step(weights)).gradients.get('a') as never)]);
    await bench.release();
  }
  expect(results[0]?.length).toBe(4001);
  expect(results[0]).toEqual(results[1]);
});

test('says whether it has error feedback, which a wrapper must not repeat', () => {
  expect(quantize({ errorFeedback: true }).hasFeedback).toBe(true);
  expect(quantize().hasFeedback).toBeUndefined();
});

test('leaves zero at zero', async () => {
  const { results } = await run({ bits: 8, rounding: 'stochastic' }, [[0, 0, 0]]);
  expect(results[0]?.gradient.map(Math.abs)).toEqual([0, 0, 0]);
});

test('reports what it would send', async () => {
  const { results } = await run({ bits: 5 }, [Array.from({ length: 20 }, (_, i) => i)]);
  // 20 codes fill 3 groups of 8, of 5 bytes each, beside 4 bytes of scale.
  expect(results[0]?.metrics).toEqual({
    'quantize.bytes': 19,
    'quantize.bits-per-element': Math.fround((19 * 8) / 20),
  });
});

test.each<[Given, string]>([
  [{ bits: 1 }, 'quantize.bits must be a whole number from 2 to 16, not 1'],
  [{ bits: 17 }, 'not 17'],
  [{ bits: 2.5 }, 'not 2.5'],
  [{ rounding: 'up' } as never, 'one of nearest, stochastic, not "up"'],
  [{ bit: 3 } as never, 'Did you mean bits'],
])('refuses %o', (options, problem) => {
  expect(() => quantize(options)).toThrow(problem);
});
