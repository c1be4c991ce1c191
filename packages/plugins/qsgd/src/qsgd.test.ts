import { createBench, float32, floats, type Tensors, testPlugin } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { qsgd } from './qsgd.js';

type Given = Parameters<typeof qsgd>[0];

const cases: readonly Given[] = [
  {},
  { levels: 1 },
  { levels: 127, norm: 'max' },
  { levels: 32767, bucket: 4 },
  { levels: 3, bucket: 1 },
];

test.each(cases)('keeps to the plugin contract with %o', (options) =>
  testPlugin(qsgd, { options: options ?? {} }),
);

async function sample(options: Given, gradient: readonly number[], steps: number, seed = 3) {
  const weights: Tensors = new Map([['w', float32(gradient)]]);
  const bench = await createBench({ plugins: [qsgd(options)], weights, seed });
  const results = [];
  for (let i = 0; i < steps; i++) {
    const { gradients, metrics } = await bench.step(weights);
    results.push({ gradient: [...floats(gradients.get('w') as never)], metrics });
  }
  await bench.release();
  return results;
}

const gradient = [0.9, -0.35, 0.02, 0, -1.4, 0.5, 0.11];
const buckets = (bucket: number) =>
  gradient.map((_, i) => gradient.slice(i - (i % bucket), i - (i % bucket) + bucket));
const norms = {
  l2: (bucket: readonly number[]) => Math.hypot(...bucket),
  max: (bucket: readonly number[]) => Math.max(...bucket.map(Math.abs)),
};

test.each([
  { levels: 1, bucket: 512, norm: 'l2' as const },
  { levels: 4, bucket: 3, norm: 'l2' as const },
  { levels: 2, bucket: 4, norm: 'max' as const },
])('gives the two levels next to every element, and its mean, with %o', async (options) => {
  const steps = 3000;
  const results = await sample(options, gradient, steps);
  gradient.forEach((exact, i) => {
    const norm = norms[options.norm](buckets(options.bucket)[i] ?? []);
    const unit = norm / options.levels;
    const values = results.map((result) => result.gradient[i] as number);
    for (const value of values) {
      expect(Math.abs(value / unit - Math.round(value / unit))).toBeLessThan(1e-5);
      expect(Math.abs(value - exact)).toBeLessThan(unit * 1.00001);
    }
    const mean = values.reduce((sum, x) => sum + x, 0) / steps;
    // The paper's distribution: (l + 1)/s with probability a s - l, of which this is the variance.
    const chance = (Math.abs(exact) / unit) % 1;
    const deviation = unit * Math.sqrt((chance * (1 - chance)) / steps);
    expect(Math.abs(mean - exact)).toBeLessThan(4 * deviation + 1e-6);
  });
});

test('keeps the variance that the paper promises', async () => {
  const levels = 2;
  const results = await sample({ levels }, gradient, 1000);
  const squares = gradient.reduce((sum, x) => sum + x * x, 0);
  const error = (found: readonly number[]) =>
    found.reduce((sum, x, i) => sum + (x - (gradient[i] as number)) ** 2, 0);
  const mean = results.reduce((sum, result) => sum + error(result.gradient), 0) / results.length;
  const n = gradient.length;
  expect(mean).toBeLessThan(Math.min(n / levels ** 2, Math.sqrt(n) / levels) * squares);
});

test('is another one for every seed', async () => {
  const [first, again, other] = await Promise.all([1, 1, 2].map((s) => sample({}, gradient, 1, s)));
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
});

test('reports codes and norms', async () => {
  const [result] = await sample({ levels: 7, bucket: 10 }, Array(25).fill(0.5), 1);
  // 25 codes of 4 bits fill 4 groups of 8; 3 buckets.
  expect(result?.metrics['qsgd.bytes']).toBe(16 + 12);
});

test.each<[Given, string]>([
  [{ levels: 0 }, 'qsgd.levels must be a whole number from 1 to 32767, not 0'],
  [{ bucket: 0 }, 'qsgd.bucket must be a whole number >= 1, not 0'],
])('refuses %o', (options, problem) => {
  expect(() => qsgd(options)).toThrow(problem);
});

test.each([
  [{}, true],
  [{ levels: 1 }, true],
  [{ levels: 127 }, undefined],
  [{ levels: 7, norm: 'max' }, true],
  [{ levels: 7, norm: 'max', bucket: 64 }, undefined],
] as const)('says whether it may lose more than it is given: %o', (options, expands) => {
  expect(qsgd(options).expands).toBe(expands);
});
