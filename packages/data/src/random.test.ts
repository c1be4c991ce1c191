import { expect, test } from 'vitest';
import { createRandom, permutation, xoshiro128 } from './random.js';

test('xoshiro128** gives the numbers of its authors’ C code', () => {
  const next = xoshiro128([1, 2, 3, 4]);
  const reference = [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849];
  expect(reference.map(() => next())).toEqual(reference);
});

test('the order for a seed and an epoch never changes', () => {
  expect([...permutation(12, createRandom(0, 0))]).toEqual([11, 6, 5, 0, 9, 8, 2, 10, 3, 7, 4, 1]);
  expect([...permutation(12, createRandom(2 ** 40 + 1, 3))]).toEqual([
    9, 1, 3, 2, 0, 7, 4, 11, 10, 8, 6, 5,
  ]);
});

test('an all-zero state still moves', () => {
  const next = xoshiro128([0, 0, 0, 0]);
  expect(new Set(Array.from({ length: 20 }, next)).size).toBeGreaterThan(10);
});

test('every key matters, and their order', () => {
  const keys = [[0, 0], [0, 1], [1, 0], [2 ** 32, 0], [0, 2 ** 32], [1], [0, 0, 0]];
  const orders = keys.map((key) => permutation(30, createRandom(...key)).join());
  expect(new Set(orders).size).toBe(keys.length);
});

test('all orders of four come equally often', () => {
  const counts = new Map<string, number>();
  const trials = 24_000;
  for (let seed = 0; seed < trials; seed++) {
    const order = permutation(4, createRandom(seed)).join();
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  const expected = trials / 24;
  const chiSquare = [...counts.values()].reduce(
    (sum, n) => sum + (n - expected) ** 2 / expected,
    0,
  );
  expect(counts.size).toBe(24);
  // 23 degrees of freedom: 49.7 at one in a thousand.
  expect(chiSquare).toBeLessThan(49.7);
});

test('bounds that do not divide 2^32 are unbiased in range', () => {
  const random = createRandom(1);
  for (const bound of [1, 3, 2 ** 31 + 1, 2 ** 32]) {
    const draws = Array.from({ length: 200 }, () => random.below(bound));
    expect(draws.every((draw) => Number.isInteger(draw) && draw >= 0 && draw < bound)).toBe(true);
  }
});
