import { createBench, float32, floats, type TensorLike, testPlugin } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { layoutOf } from './layout.js';
import { topK } from './top-k.js';

type Given = Parameters<typeof topK>[0];

const cases: readonly Given[] = [
  {},
  { ratio: 0.5 },
  { ratio: 1 },
  { k: 1 },
  { k: 4, exactUpTo: 0 },
  { ratio: 0.3, exactUpTo: 4 },
];

test.each(cases)('keeps to the plugin contract with %o', (options) =>
  testPlugin(topK, { options: options ?? {} }),
);

async function run(options: Given, gradient: TensorLike) {
  const weights = new Map([['w', float32(gradient)]]);
  const bench = await createBench({ plugins: [topK(options)], weights });
  const { gradients, metrics } = await bench.step(weights);
  await bench.release();
  return { gradient: [...floats(gradients.get('w') as never)].map((x) => x + 0), metrics };
}

const noise = (length: number) =>
  Array.from({ length }, (_, i) => Math.fround(Math.sin(i * i + 1) * 1.3 ** (i % 7)));

/** The k largest of every group of elements. */
function reference(data: readonly number[], k: number, blocks = 1): readonly number[] {
  const kept = Array.from({ length: blocks }, (_, block) =>
    data
      .map((x, i) => ({ x: Math.abs(x), i }))
      .filter(({ i }) => i % blocks === block)
      .sort((a, b) => b.x - a.x)
      .slice(0, k)
      .map(({ i }) => i),
  ).flat();
  return data.map((x, i) => (kept.includes(i) ? x : 0));
}

test.each([1, 3, 40, 99, 100])('keeps the %i largest of a hundred', async (k) => {
  const data = noise(100);
  expect((await run({ k }, data)).gradient).toEqual(reference(data, k));
});

test('rounds a ratio, and keeps one element at least', async () => {
  const data = noise(100);
  expect((await run({ ratio: 0.1 }, data)).gradient).toEqual(reference(data, 10));
  expect((await run({ ratio: 1e-9 }, data)).gradient).toEqual(reference(data, 1));
});

test.each([
  { count: 1000, k: 10 },
  { count: 1000, k: 7 },
  { count: 1001, k: 700 },
])('keeps the largest of every block of a large tensor: $k of $count', async ({ count, k }) => {
  const data = noise(count);
  const { gradient, metrics } = await run({ k, exactUpTo: 100 }, data);
  expect(gradient).toEqual(reference(data, 1, k));
  const bits = Math.ceil(Math.log2(Math.ceil(count / k)));
  expect(metrics['top-k.bytes']).toBe(4 * k + Math.ceil(k / 8) * bits);
  const energy = (all: readonly number[]) => all.reduce((sum, x) => sum + x * x, 0);
  expect(energy(gradient) / energy(data)).toBeGreaterThan(k / count);
});

test('sends long indices as they are', async () => {
  const { metrics, gradient } = await run({ k: 3, exactUpTo: 1e6 }, noise(70_000));
  expect(metrics['top-k.bytes']).toBe(3 * 8);
  expect(gradient.filter((x) => x !== 0)).toHaveLength(3);
});

test('finds blocks without a rest, near the ratio', () => {
  expect(layoutOf(784 * 512, { ratio: 0.01 }, 1000)).toEqual({ length: 98, blocks: 4096, keep: 1 });
  expect(layoutOf(10_007, { ratio: 0.01 }, 1000)).toEqual({ length: 101, blocks: 100, keep: 1 });
  expect(layoutOf(10_000, { ratio: 0.01, k: 99 }, 1000).blocks).toBe(99);
});

test.each<[Given, string]>([
  [{ ratio: 0 }, 'top-k.ratio must be a number > 0 and <= 1, not 0'],
  [{ ratio: 0.1, k: 3 }, 'top-k takes a ratio or k, not both'],
  [{ k: 1.5 }, 'not 1.5'],
])('refuses %o', (options, problem) => {
  expect(() => topK(options)).toThrow(problem);
});
