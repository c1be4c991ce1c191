import { createBench, float32, floats, testPlugin } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { randomK } from './random-k.js';

type Given = Parameters<typeof randomK>[0];

const cases: readonly Given[] = [{}, { ratio: 0.4 }, { ratio: 1 }, { k: 3, unbiased: false }];

test.each(cases)('keeps to the plugin contract with %o', (options) =>
  testPlugin(randomK, { options: options ?? {} }),
);

async function sample(options: Given, gradient: readonly number[], steps: number, seed = 1) {
  const weights = new Map([['w', float32(gradient)]]);
  const bench = await createBench({ plugins: [randomK(options)], weights, seed });
  const results = [];
  for (let i = 0; i < steps; i++) {
    const { gradients, metrics } = await bench.step(weights);
    results.push({ gradient: [...floats(gradients.get('w') as never)], metrics });
  }
  await bench.release();
  return results;
}

const gradient = [1, -2, 3, 0.5, 0.25, 7, -1, 4, 2, -3, 5];

test('keeps one element of every block, times its size, and the mean of all', async () => {
  const steps = 4000;
  const results = await sample({ k: 3 }, gradient, steps);
  // 11 elements in blocks that begin at 0, 3 and 7.
  const sizeAt = (i: number) => (i < 3 ? 3 : 4);
  const blockOf = (i: number) => (i < 3 ? 0 : i < 7 ? 1 : 2);
  for (const result of results) {
    const kept = result.gradient.flatMap((x, i) => (x === 0 ? [] : [i]));
    expect(kept.map(blockOf)).toEqual([0, 1, 2]);
    for (const i of kept) expect(result.gradient[i]).toBe(sizeAt(i) * (gradient[i] as number));
  }
  gradient.forEach((exact, i) => {
    const share = results.filter((result) => result.gradient[i] !== 0).length / steps;
    const chance = 1 / sizeAt(i);
    expect(Math.abs(share - chance)).toBeLessThan(4 * Math.sqrt((chance * (1 - chance)) / steps));
    const mean = results.reduce((sum, r) => sum + (r.gradient[i] as number), 0) / steps;
    expect(Math.abs(mean - exact)).toBeLessThan(Math.abs(exact) * 0.2);
  });
});

test('draws the elements of different blocks apart', async () => {
  const results = await sample({ k: 2 }, [1, 1, 1, 1], 2000);
  const counts = new Map<string, number>();
  for (const result of results) {
    const key = result.gradient.map((x) => (x === 0 ? 0 : 1)).join('');
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  expect(counts.size).toBe(4);
  for (const count of counts.values()) expect(Math.abs(count / 2000 - 0.25)).toBeLessThan(0.05);
});

test('leaves what stays as it is, if asked to', async () => {
  const [result] = await sample({ k: 3, unbiased: false }, gradient, 1);
  const kept = result?.gradient ?? [];
  expect(kept).toEqual(gradient.map((x, i) => (kept[i] === 0 ? 0 : x)));
});

test('sends nothing but the elements', async () => {
  const [result] = await sample({ ratio: 0.3 }, gradient, 1);
  expect(result?.metrics['random-k.bytes']).toBe(12);
});

test('is another one for every seed', async () => {
  const wide = Array(300).fill(1);
  const [first, again, other] = await Promise.all([1, 1, 2].map((s) => sample({}, wide, 1, s)));
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
});

test('refuses a ratio beside k', () => {
  expect(() => randomK({ ratio: 0.1, k: 3 })).toThrow('a ratio or k, not both');
});

test('says that it loses more than it is given, where it is unbiased', () => {
  expect(randomK().expands).toBe(true);
  expect(randomK({ unbiased: false }).expands).toBeUndefined();
});
