import { describe, expect, test } from 'vitest';
import { uniformReference } from './random.js';

const draw = (size: number, seed = 1, step = 0, key = 'weight') =>
  uniformReference({ shape: [size], seed, step, key });

const mean = (values: ArrayLike<number>) =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

/** Pearson's correlation, in standard deviations of what independent numbers give. */
function correlation(a: Float32Array, b: Float32Array): number {
  const [ma, mb] = [mean(a), mean(b)];
  const product = mean(a.map((value, i) => (value - ma) * ((b[i] ?? 0) - mb)));
  return product * 12 * Math.sqrt(a.length);
}

/** χ² of counts against equal ones, in standard deviations. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  const sum = counts.reduce((total, count) => total + (count - expected) ** 2 / expected, 0);
  return (sum - (counts.length - 1)) / Math.sqrt(2 * (counts.length - 1));
}

/** The three upper bytes of each number, as counts of their 256 values. */
function byteCounts(values: Float32Array): readonly (readonly number[])[] {
  const counts = [0, 1, 2].map(() => Array<number>(256).fill(0));
  for (const value of values) {
    const bits = Math.floor(value * 2 ** 24);
    counts.forEach((list, i) => {
      const byte = (bits >>> (16 - 8 * i)) & 255;
      list[byte] = (list[byte] ?? 0) + 1;
    });
  }
  return counts;
}

// Fixed seeds: a sound generator passes each bound with room, a bad one misses it by orders of magnitude.
describe.each([
  [1, 0],
  [2, 0],
  [1, 1],
  [0, 0],
  [0xffffffff, 2 ** 31 - 1],
])('seed %i, step %i', (seed, step) => {
  const values = draw(2 ** 18, seed, step);

  test('mean, variance and range of the uniform distribution', () => {
    expect(Math.abs(mean(values) - 0.5) * Math.sqrt(12 * values.length)).toBeLessThan(4);
    const variance = mean(values.map((value) => (value - 0.5) ** 2));
    expect(Math.abs(variance - 1 / 12) * Math.sqrt(180 * values.length)).toBeLessThan(4);
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
  });

  test('every byte is as frequent as every other', () => {
    for (const counts of byteCounts(values)) expect(Math.abs(chiSquare(counts))).toBeLessThan(5);
  });

  test('neighbours in pairs fill the square evenly', () => {
    for (const distance of [1, 2, 511, 512, 513, 1024]) {
      const counts = Array<number>(1024).fill(0);
      for (let i = 0; i + distance < values.length; i++) {
        const cell =
          Math.floor((values[i] ?? 0) * 32) * 32 + Math.floor((values[i + distance] ?? 0) * 32);
        counts[cell] = (counts[cell] ?? 0) + 1;
      }
      expect(Math.abs(chiSquare(counts)), `distance ${distance}`).toBeLessThan(6);
    }
  });

  test('rows and columns of the grid are uncorrelated, and uniform by themselves', () => {
    const rowOf = (row: number) => values.subarray(row * 512, row * 512 + 512);
    const columnOf = (column: number) =>
      Float32Array.from({ length: 512 }, (_, row) => values[row * 512 + column] ?? 0);
    for (const line of [rowOf, columnOf]) {
      const worst = Array.from({ length: 60 }, (_, i) =>
        Math.max(
          Math.abs(correlation(line(i), line(i + 1))),
          Math.abs(correlation(line(i), line(2 * i + 7))),
          Math.abs(mean(line(i)) - 0.5) * Math.sqrt(12 * 512),
        ),
      );
      expect(Math.max(...worst)).toBeLessThan(4.5);
    }
  });
});

test('seeds, steps and keys that lie close give unrelated numbers', () => {
  const base = draw(2 ** 16, 7, 100, 'layer.0.weight');
  const others = [
    ...[8, 6, 9, 7 + 2 ** 31].map((seed) => draw(2 ** 16, seed, 100, 'layer.0.weight')),
    ...[101, 99, 102, 200, 0].map((step) => draw(2 ** 16, 7, step, 'layer.0.weight')),
    ...['layer.0.bias', 'layer.1.weight', '', 'layer.0.weighu'].map((key) =>
      draw(2 ** 16, 7, 100, key),
    ),
  ];
  for (const other of others) {
    expect(Math.abs(correlation(base, other))).toBeLessThan(4.5);
    expect(base.filter((value, i) => value === other[i]).length).toBeLessThan(20);
  }
});

test('one element over many steps, and over many seeds, is uniform too', () => {
  const series = [
    Float32Array.from({ length: 2 ** 14 }, (_, step) => draw(1, 3, step)[0] ?? 0),
    Float32Array.from({ length: 2 ** 14 }, (_, seed) => draw(1, seed, 3)[0] ?? 0),
    Float32Array.from({ length: 2 ** 14 }, (_, i) => draw(1, 3, 3, `parameter.${i}`)[0] ?? 0),
  ];
  for (const values of series) {
    for (const counts of byteCounts(values)) expect(Math.abs(chiSquare(counts))).toBeLessThan(5);
    expect(Math.abs(correlation(values.subarray(1), values.subarray(0, -1)))).toBeLessThan(4.5);
  }
});

test('avalanche: one bit of the seed or the step changes half of all bits', () => {
  const bits = (values: Float32Array) => values.map((value) => Math.floor(value * 2 ** 24));
  const changed = (a: Float32Array, b: Float32Array) =>
    mean(
      a.map((value, i) => [...((value ^ (b[i] ?? 0)) >>> 0).toString(2)].filter(Number).length),
    ) / 24;
  for (let bit = 0; bit < 31; bit++) {
    const base = bits(draw(256, 12345, 678));
    expect(changed(base, bits(draw(256, (12345 ^ (1 << bit)) >>> 0, 678)))).toBeCloseTo(0.5, 1);
    expect(changed(base, bits(draw(256, 12345, 678 ^ (1 << bit))))).toBeCloseTo(0.5, 1);
  }
});

test('every element of an awkward shape has its number', () => {
  for (const size of [0, 1, 2, 3, 7, 101, 10007]) {
    const values = draw(size);
    expect(values).toHaveLength(size);
    expect(new Set(values).size).toBeGreaterThanOrEqual(size - 1);
  }
});
