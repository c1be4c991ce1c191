import { createBench, float32, floats, type TensorLike, testPlugin } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { lowRank } from './low-rank.js';

type Given = Parameters<typeof lowRank>[0];
type Matrix = readonly (readonly number[])[];

const cases: readonly Given[] = [{ rank: 1 }, { rank: 2 }, { rank: 1, warmStart: false }];

test.each(cases)('keeps to the plugin contract with %o', (options) =>
  testPlugin(lowRank, { options: options ?? {} }),
);

async function run(options: Given, steps: readonly TensorLike[]) {
  const weights = new Map([['w', float32(steps[0] ?? 0)]]);
  const bench = await createBench({ plugins: [lowRank(options)], weights, seed: 1 });
  const results = [];
  for (const step of steps) {
    const before = bench.state().get('plugin/low-rank.q/w');
    const { gradients, metrics } = await bench.step(new Map([['w', float32(step)]]));
    results.push({ gradient: [...floats(gradients.get('w') as never)], metrics, before });
  }
  const q = bench.state().get('plugin/low-rank.q/w');
  await bench.release();
  return { results, q };
}

const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => (b[0] ?? []).map((_, j) => row.reduce((s, x, k) => s + x * (b[k]?.[j] ?? 0), 0)));
const transposed = (a: Matrix): Matrix => (a[0] ?? []).map((_, j) => a.map((row) => row[j] ?? 0));
const flat = (a: Matrix) => a.flat();
const norm = (a: readonly number[]) => Math.hypot(...a);

function matrix(rows: number, columns: number, salt: number): Matrix {
  return Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (_, j) => Math.fround(Math.sin((i * 37 + j * 11 + salt) ** 2))),
  );
}

/** Modified Gram-Schmidt in double precision. */
function orthonormal(a: Matrix): Matrix {
  const columns: (readonly number[])[] = [];
  for (const column of transposed(a)) {
    const rest = columns.reduce<readonly number[]>((left, other) => {
      const along = left.reduce((sum, x, i) => sum + x * (other[i] ?? 0), 0);
      return left.map((x, i) => x - along * (other[i] ?? 0));
    }, column);
    columns.push(rest.map((x) => x / norm(rest)));
  }
  return transposed(columns);
}

const like = (dims: readonly number[], a: Matrix): TensorLike => ({ dims, data: flat(a) });
const distance = (a: readonly number[], b: readonly number[]) =>
  norm(a.map((x, i) => x - (b[i] ?? 0))) / norm(b);

test.each([1, 2, 4])(
  'goes on from the Q of the step before, as Algorithm 1, at rank %i',
  async (rank) => {
    const gradients = [matrix(12, 30, 1), matrix(12, 30, 2), matrix(12, 30, 3)];
    const { results } = await run(
      { rank },
      gradients.map((g) => like([12, 30], g)),
    );
    results.slice(1).forEach(({ gradient, before }, i) => {
      const m = gradients[i + 1] as Matrix;
      const data = [...floats(before as never)];
      const q = transposed(Array.from({ length: rank }, (_, r) => data.slice(r * 30, r * 30 + 30)));
      const p = orthonormal(product(m, q));
      const exact = product(p, transposed(product(transposed(m), p)));
      expect(distance(gradient, flat(exact))).toBeLessThan(1e-5);
    });
  },
);

test('gives back a matrix whose rank is low enough, at the first step', async () => {
  for (const [of, rank] of [
    [1, 1],
    [2, 2],
    [1, 3],
    [2, 4],
  ] as const) {
    const m = product(matrix(20, of, 5), matrix(of, 40, 6));
    const { results } = await run({ rank }, [like([20, 40], m), like([20, 40], m)]);
    expect(results).toHaveLength(2);
    for (const { gradient } of results) expect(distance(gradient, flat(m))).toBeLessThan(1e-4);
  }
});

test('approaches the best approximation where the gradient stays', async () => {
  const [a, b] = [orthonormal(matrix(16, 4, 1)), orthonormal(matrix(24, 4, 2))];
  const sizes = [8, 4, 2, 1];
  const m = product(
    a.map((row) => row.map((x, j) => x * (sizes[j] ?? 0))),
    transposed(b),
  );
  const { results } = await run({ rank: 2 }, Array(12).fill(like([16, 24], m)));
  const errors = results.map(({ gradient }) => distance(gradient, flat(m)));
  // Eckart and Young: what is left are the singular values 2 and 1 of 8, 4, 2, 1.
  const best = Math.sqrt(5 / 85);
  expect(errors[0]).toBeGreaterThan(best * 1.001);
  expect(Math.abs((errors.at(-1) as number) / best - 1)).toBeLessThan(1e-4);
});

test('is a projection: it never adds to a gradient, at any size', async () => {
  for (const size of [1e-30, 1, 1e30]) {
    const m = matrix(10, 15, 3).map((row) => row.map((x) => x * size));
    const { results } = await run({ rank: 3 }, [like([10, 15], m), like([10, 15], m)]);
    for (const { gradient } of results) {
      const error = distance(gradient, flat(m));
      expect(error).toBeGreaterThan(0.1);
      expect(error).toBeLessThan(1);
    }
  }
});

test.each([0, Number.NaN, Number.POSITIVE_INFINITY])(
  'comes to life again after gradients of %d',
  async (value) => {
    const m = product(matrix(8, 2, 1), matrix(2, 9, 2));
    const steps = [m.map((row) => row.map(() => value)), m, m].map((x) => like([8, 9], x));
    const { results } = await run({ rank: 2 }, steps);
    const dead = value === 0 ? 0 : Number.NaN;
    expect(results[0]?.gradient.every((x) => Object.is(x + 0, dead))).toBe(true);
    expect(distance(results[1]?.gradient ?? [], flat(m))).toBeLessThan(1e-4);
  },
);

test('sees a convolution as [out, in · height · width], and sends P and Q', async () => {
  const { results, q } = await run({ rank: 2 }, [like([8, 3, 3, 3], matrix(8, 27, 4))]);
  expect(q?.dims).toEqual([2, 27]);
  expect(results[0]?.metrics['low-rank.bytes']).toBe(4 * 2 * (8 + 27));
});

test('leaves vectors, and matrices that are small already', async () => {
  for (const dims of [[6], [3, 2], []]) {
    const data = [1, -2, 3, 4, 5, 6].slice(0, dims.length === 0 ? 1 : 6);
    const { results } = await run({ rank: 2 }, [{ dims, data }]);
    expect(results[0]?.gradient).toEqual(data);
  }
});

test('refuses a rank that is none', () => {
  expect(() => lowRank({ rank: 0 })).toThrow('low-rank.rank must be a whole number from 1 to 64');
});
