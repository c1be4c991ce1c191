import { createBench, float32, floats, type TensorLike, testPlugin } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { threshold } from './threshold.js';

type Given = Parameters<typeof threshold>[0];

const cases: readonly Given[] = [
  {},
  { threshold: 0 },
  { threshold: 0.5, relativeTo: 'max' },
  { threshold: 1, relativeTo: 'rms' },
];

test.each(cases)('keeps to the plugin contract with %o', (options) =>
  testPlugin(threshold, { options: options ?? {} }),
);

async function run(plugin: ReturnType<typeof threshold>, ...given: readonly TensorLike[]) {
  const weights = new Map(given.map((tensor, i) => [`w${i}`, float32(tensor)]));
  const bench = await createBench({ plugins: [plugin], weights });
  const { gradients, metrics } = await bench.step(weights);
  await bench.release();
  return {
    gradients: [...gradients.values()].map((tensor) => [...floats(tensor)].map((x) => x + 0)),
    metrics,
  };
}

const data = Array.from({ length: 60 }, (_, i) => Math.fround(Math.sin(i * i) * 1.2 ** (i % 9)));

const units = {
  none: 1,
  max: Math.max(...data.map(Math.abs)),
  rms: Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length),
};

test.each([
  ['none', 0.7],
  ['max', 0.3],
  ['rms', 1.1],
] as const)('keeps what is above the threshold, relative to %s', async (relativeTo, t) => {
  const { gradients, metrics } = await run(threshold({ threshold: t, relativeTo }), data);
  const bound = t * units[relativeTo];
  const exact = data.map((x) => (Math.abs(x) > bound ? x : 0));
  expect(gradients[0]).toEqual(exact);
  const kept = exact.filter((x) => x !== 0).length;
  expect(metrics['threshold.kept']).toBeCloseTo(kept / 60, 6);
  // 60 bits fill 8 bytes.
  expect(metrics['threshold.bytes']).toBe(8 + 4 * kept);
});

test('sends nothing but bits where nothing is above', async () => {
  const { gradients, metrics } = await run(threshold(), [0, 1e-9, 0], [0, 5]);
  expect(gradients).toEqual([
    [0, 0, 0],
    [0, 5],
  ]);
  expect(metrics['threshold.bytes']).toBe(2 + 4);
});

test('keeps exactly what is above, not what is equal', async () => {
  const { gradients } = await run(threshold({ threshold: 0.5 }), [0.5, -0.5, 0.500001, -3]);
  expect(gradients[0]).toEqual([0, 0, Math.fround(0.500001), -3]);
});

test('sends by its wire form the same elements, first and last among them', async () => {
  const { transform: _, ...wire } = threshold({ threshold: 0.5 });
  const ends = [2, 0, 0, -1, Number.NaN, 0.1, Number.POSITIVE_INFINITY, 0, 3];
  expect((await run(wire, ends)).gradients[0]).toEqual(
    ends.map((x) => (Math.abs(x) <= 0.5 ? 0 : x)),
  );
});

test('changes its threshold with the steps', async () => {
  const weights = new Map([['w', float32([0.3, 0.7])]]);
  const plugins = [threshold({ threshold: (step) => step / 2 })];
  const bench = await createBench({ plugins, weights });
  const kept = [];
  for (let i = 0; i < 3; i++) kept.push((await bench.step(weights)).metrics['threshold.kept']);
  await bench.release();
  expect(kept).toEqual([1, 0.5, 0]);
});

test('refuses a negative threshold', () => {
  expect(() => threshold({ threshold: -1 })).toThrow('must be a number >= 0, not -1');
});
