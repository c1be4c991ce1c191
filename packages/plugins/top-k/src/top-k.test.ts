import type { GradientPlugin } from '@gradware/core';
import { createBench, float32, floats, type TensorLike, testPlugin } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { type Layout, layoutOf } from './layout.js';
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

/** The largest elements of every block. */
function reference(
  data: readonly number[],
  keep: number,
  { length, inner }: Pick<Layout, 'length' | 'inner'> = { length: data.length, inner: 1 },
): readonly number[] {
  const blocks = new Map<number, number[]>();
  for (const i of data.keys()) {
    const block = Math.floor(i / (length * inner)) * inner + (i % inner);
    blocks.set(block, [...(blocks.get(block) ?? []), i]);
  }
  const kept = new Set(
    [...blocks.values()].flatMap((places) =>
      places.sort((a, b) => Math.abs(data[b] ?? 0) - Math.abs(data[a] ?? 0)).slice(0, keep),
    ),
  );
  return data.map((x, i) => (kept.has(i) ? x : 0));
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

const energy = (all: readonly number[]) => all.reduce((sum, x) => sum + x * x, 0);

test.each([
  { count: 1000, k: 10 },
  { count: 1000, k: 7 },
  { count: 1001, k: 700 },
  { count: 6000, k: 600 },
  { count: 6007, k: 48 },
])('keeps the largest of every block of a large tensor: $k of $count', async ({ count, k }) => {
  const data = noise(count);
  const { gradient, metrics } = await run({ k, exactUpTo: 100 }, data);
  const layout = layoutOf(count, { k, ratio: 1 }, 100);
  expect(layout.outer * layout.inner).toBe(k);
  expect(gradient).toEqual(reference(data, 1, layout));
  const bits = Math.ceil(Math.log2(Math.ceil(count / k)));
  expect(metrics['top-k.bytes']).toBe(4 * k + Math.ceil(k / 8) * bits);
  expect(energy(gradient) / energy(data)).toBeGreaterThan(k / count);
});

test.each([0.4, 0.1, 0.02, 0.003])('keeps about a share of %d of a large tensor', async (ratio) => {
  const data = noise(5000);
  const { gradient } = await run({ ratio, exactUpTo: 100 }, data);
  expect(gradient).toEqual(reference(data, 1, layoutOf(5000, { ratio }, 100)));
  const kept = gradient.filter((x) => x !== 0).length;
  expect(Math.abs(kept - ratio * 5000)).toBeLessThanOrEqual(Math.max(1, ratio * 250));
});

/** The same numbers, as a receiver makes them of what was sent. */
const received = (options: Given): GradientPlugin => {
  const { transform, ...wire } = topK(options);
  return { ...wire, name: 'received' };
};

test.each<Given>([{ k: 30, exactUpTo: 0 }, { k: 4, exactUpTo: 0 }, { k: 4 }])(
  'keeps the first of equal elements, also where they are decoded: %o',
  async (options) => {
    const data = Array.from({ length: 240 }, (_, i) => [2, -2, 0, 1, 2, -1, 0][i % 7] as number);
    const { gradient } = await run(options, data);
    expect(gradient.filter((x) => x !== 0)).toHaveLength(options?.k ?? 0);
    const weights = new Map([['w', float32(data)]]);
    const bench = await createBench({ plugins: [received(options)], weights });
    const decoded = (await bench.step(weights)).gradients.get('w');
    expect([...floats(decoded as never)].map((x) => x + 0)).toEqual(gradient);
    await bench.release();
  },
);

test.each([0.1, 0.01])(
  'makes all of a large tensor NaN that holds NaN or infinity: %d',
  async (ratio) => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const { gradient } = await run({ ratio, exactUpTo: 0 }, [...noise(999), value]);
      expect(gradient.every(Number.isNaN)).toBe(true);
    }
  },
);

test('sends long indices as they are', async () => {
  const { metrics, gradient } = await run({ k: 3, exactUpTo: 1e6 }, noise(70_000));
  expect(metrics['top-k.bytes']).toBe(3 * 8);
  expect(gradient.filter((x) => x !== 0)).toHaveLength(3);
});

test('finds blocks without a rest, near the ratio', () => {
  const { outer, length, inner, keep } = layoutOf(784 * 512, { ratio: 0.01 }, 1000);
  expect({ rest: 784 * 512 - outer * length * inner, length, keep }).toEqual({
    ...{ rest: 0, length: 98, keep: 1 },
  });
  expect(layoutOf(10_000, { ratio: 0.01, k: 99 }, 1000)).toMatchObject({ outer: 3, inner: 33 });
});

test('leaves no block without an element', () => {
  for (const count of [17, 101, 1000, 10_007, 65_537, 131_072])
    for (const asked of [1, 2, 3, 16, 97, 1000, 60_000]) {
      const ratio = Math.min(1, asked / count);
      for (const k of [undefined, Math.min(asked, count)]) {
        const { outer, length, inner, keep } = layoutOf(count, { k, ratio }, 0);
        const missing = outer * length * inner - count;
        expect(missing).toBeGreaterThanOrEqual(0);
        expect(missing).toBeLessThanOrEqual((length - 1) * inner);
        if (k !== undefined) expect(outer * inner * keep).toBe(k);
      }
    }
});

test.each<[Given, string]>([
  [{ ratio: 0 }, 'top-k.ratio must be a number > 0 and <= 1, not 0'],
  [{ ratio: 0.1, k: 3 }, 'top-k takes a ratio or k, not both'],
  [{ k: 1.5 }, 'not 1.5'],
])('refuses %o', (options, problem) => {
  expect(() => topK(options)).toThrow(problem);
});
