import { readFileSync } from 'node:fs';
import {
  createBench,
  expectNumbers,
  float32,
  floats,
  type TensorLike,
  testPlugin,
  tryChain,
} from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { normClip } from './norm-clip.js';

test('keeps to the plugin contract', () => testPlugin(normClip));
test.each([1, Number.POSITIVE_INFINITY])('keeps to it with norm %f', async (normType) => {
  await testPlugin(normClip, { options: { normType } });
  await testPlugin(normClip, { options: { normType, per: 'tensor', maxNorm: 0.1 } });
});
test('keeps to it for each tensor', () => testPlugin(normClip, { options: { per: 'tensor' } }));

async function clip(plugin: ReturnType<typeof normClip>, ...given: readonly TensorLike[]) {
  const gradients = new Map(given.map((tensor, i) => [`w${i}`, float32(tensor)]));
  const bench = await createBench({ plugins: [plugin], weights: gradients });
  const result = await bench.step(gradients);
  await bench.release();
  const { metrics } = result;
  return {
    metrics,
    gradients: [...result.gradients.values()].map((tensor) => [...floats(tensor)]),
  };
}

test('scales all gradients by their joint norm', async () => {
  const { gradients, metrics } = await clip(normClip({ maxNorm: 6.5 }), [3, 4], [12]);
  expect(gradients.map((g) => g.map((x) => Number(x.toFixed(5))))).toEqual([[1.5, 2], [6]]);
  expect(metrics['norm-clip.norm']).toBeCloseTo(13, 5);
  expect(metrics['norm-clip.clipped-norm']).toBeCloseTo(6.5, 5);
});

test.each([
  [1, 19],
  [2, 13],
  [Number.POSITIVE_INFINITY, 12],
])('takes norm %f', async (normType, norm) => {
  for (const per of ['global', 'tensor'] as const) {
    const { gradients, metrics } = await clip(
      normClip({ maxNorm: norm / 2, normType, per }),
      [3, -4],
      [0, 12],
    );
    expect(metrics['norm-clip.norm']).toBeCloseTo(norm, 5);
    if (per === 'global') {
      const wanted = [1.5, -2, 0, 6];
      gradients.flat().forEach((x, i) => {
        expect(x).toBeCloseTo(wanted[i] as number, 5);
      });
      expect(metrics['norm-clip.clipped-norm']).toBeCloseTo(norm / 2, 5);
    }
  }
});

// What PyTorch gives: ../golden/make_golden.py says how.
const golden = JSON.parse(
  readFileSync(new URL('../golden/norm-clip.golden.json', import.meta.url), 'utf8'),
);

test.each(
  [1, Number.POSITIVE_INFINITY].flatMap((normType) =>
    (['global', 'tensor'] as const).map((per) => [normType, per] as const),
  ),
)('gives the numbers of PyTorch with norm %f, %s', async (normType, per) => {
  const plugin = normClip({ normType, per, maxNorm: 0.7 });
  const [step] = await tryChain([plugin], [golden.gradients]);
  const wanted = golden[normType];
  expectNumbers(step?.gradients ?? {}, wanted[per]);
  expect(Math.abs((step?.metrics['norm-clip.norm'] ?? 0) / wanted.norm - 1)).toBeLessThan(1e-6);
});

test.each([1, 2, Number.POSITIVE_INFINITY])('shows in norm %f what is not finite', async (type) => {
  const infinite = Number.POSITIVE_INFINITY;
  const plugin = normClip({ normType: type });
  expect((await clip(plugin, [1, Number.NaN], [2])).metrics['norm-clip.norm']).toBeNaN();
  expect((await clip(plugin, [1, infinite], [2])).metrics['norm-clip.norm']).toBe(infinite);
});

test('leaves what is short enough, to the bit', async () => {
  const { gradients } = await clip(normClip({ maxNorm: 14 }), [3, 4], [12]);
  expect(gradients).toEqual([[3, 4], [12]]);
});

test('scales each tensor by its own norm', async () => {
  const { gradients, metrics } = await clip(
    normClip({ maxNorm: 5.5, per: 'tensor' }),
    [3, 4],
    [12],
  );
  expect(gradients[0]).toEqual([3, 4]);
  expect(gradients[1]?.[0]).toBeCloseTo(5.5, 5);
  expect(metrics['norm-clip.norm']).toBeCloseTo(13, 5);
  expect(metrics['norm-clip.clipped-norm']).toBeCloseTo(Math.hypot(5, 5.5), 5);
});

test('only reports with a maximum of infinity, even where the norm is infinite', async () => {
  const large = Number.POSITIVE_INFINITY;
  const { gradients, metrics } = await clip(normClip({ maxNorm: large }), [3, 4], [large, 1e30]);
  expect(gradients).toEqual([
    [3, 4],
    [large, Math.fround(1e30)],
  ]);
  expect(metrics['norm-clip.norm']).toBe(large);
});

test('keeps the norm right for a million elements', async () => {
  const data = Float32Array.from({ length: 1_000_000 }, (_, i) => Math.sin(i) * 1e-3);
  const exact = Math.sqrt(data.reduce((sum, x) => sum + x * x, 0));
  const { metrics } = await clip(normClip(), { dims: [1000, 1000], data });
  expect(Math.abs((metrics['norm-clip.norm'] as number) / exact - 1)).toBeLessThan(1e-6);
});

test('refuses a maximum that is not above zero, and options that it does not have', () => {
  expect(() => normClip({ maxNorm: 0 })).toThrow('norm-clip.maxNorm must be a number > 0, not 0');
  expect(() => normClip({ normType: 3 })).toThrow('norm-clip.normType must be 1, 2 or Infinity');
  expect(() => normClip({ maxnorm: 1 } as object)).toThrow('Did you mean maxNorm');
});
