import { expect, test } from 'vitest';
import { normalize, rasterize, type Stroke } from './rasterize.js';

const zero: Stroke = Array.from({ length: 40 }, (_, i) => {
  const angle = (i / 39) * 2 * Math.PI;
  return { x: 100 + 40 * Math.cos(angle), y: 90 + 60 * Math.sin(angle) };
});
const one: Stroke = [
  { x: 10, y: 10 },
  { x: 10, y: 50 },
];

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const rowsOf = (pixels: readonly number[]) =>
  Array.from({ length: 8 }, (_, row) => pixels.slice(8 * row, 8 * row + 8));

test('has as much ink as the digits of the data set', () => {
  // Their mean is 19 to 21 for every digit.
  expect(sum(rasterize([zero]))).toBeGreaterThan(15);
  expect(sum(rasterize([zero]))).toBeLessThan(25);
});

test('counts sixteenths from 0 to 1', () => {
  const pixels = rasterize([zero]);
  expect(pixels).toHaveLength(64);
  for (const pixel of pixels) {
    expect(Number.isInteger(pixel * 16)).toBe(true);
    expect(pixel).toBeGreaterThanOrEqual(0);
    expect(pixel).toBeLessThanOrEqual(1);
  }
});

test('fills the image from top to bottom, wherever and however large it was drawn', () => {
  const moved = zero.map(({ x, y }) => ({ x: 7 * x - 300, y: 7 * y + 55 }));
  expect(rasterize([moved])).toEqual(rasterize([zero]));
  const rows = rowsOf(rasterize([zero])).map(sum);
  expect(Math.min(...rows)).toBeGreaterThan(0);
});

test('a line stays thin, in the middle', () => {
  const columns = Array.from({ length: 8 }, (_, column) =>
    sum(rowsOf(rasterize([one])).map((row) => row[column] ?? 0)),
  );
  expect(columns.slice(0, 3).concat(columns.slice(5))).toEqual([0, 0, 0, 0, 0, 0]);
  expect(columns[3]).toBe(columns[4]);
});

test.each([
  ['nothing', []],
  ['a dot', [[{ x: 3, y: 4 }]]],
])('%s is drawn, too', (_, strokes) => {
  const points = normalize(strokes).flat();
  for (const { x, y } of points) expect([x, y]).toEqual([16, 16]);
  expect(sum(rasterize(strokes)) > 0).toBe(strokes.length > 0);
});
