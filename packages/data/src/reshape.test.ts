import type { Dim } from '@gradware/core';
import { expect, test } from 'vitest';
import { fitShape } from './reshape.js';

const fit = (found: number[], wanted: Dim[], sizes = new Map<string, number>()) =>
  fitShape(found, wanted, sizes);

test.each<[number[], Dim[], number[]]>([
  [[64], [64], [64]],
  [[64], [1, 8, 8], [1, 8, 8]],
  [
    [8, 8],
    [1, 8, 8],
    [1, 8, 8],
  ],
  [
    [28, 28, 1],
    [1, 28, 28],
    [1, 28, 28],
  ],
  [[32, 32, 3], [3072], [3072]],
  [[], [1], [1]],
  [[1], [], []],
  [[64], ['features'], [64]],
  [[64], [1, 'h', 8], [1, 8, 8]],
  [
    [3, 5],
    [null, null],
    [3, 5],
  ],
  [
    [3, 5],
    ['rows', 5],
    [3, 5],
  ],
  [[12], [null], [12]],
  [
    [4, 4],
    ['side', 'side'],
    [4, 4],
  ],
])('%o reads as %o', (found, wanted, expected) => {
  expect(fit(found, wanted)).toEqual(expected);
});

test.each<[number[], Dim[]]>([
  [[64], [1, 8, 9]],
  [[64], []],
  [
    [32, 32, 3],
    [3, 32, 32],
  ],
  [
    [2, 6],
    [3, 4],
  ],
  [[64], [null, null]],
  [[10], [3, 'h']],
  [
    [3, 5],
    ['side', 'side'],
  ],
])('%o does not read as %o', (found, wanted) => {
  expect(fit(found, wanted)).toBeUndefined();
});

test('a named dimension has one size', () => {
  const sizes = new Map<string, number>();
  expect(fit([7, 3], ['time', 3], sizes)).toEqual([7, 3]);
  expect(sizes).toEqual(new Map([['time', 7]]));
  expect(fit([7], ['time'], sizes)).toEqual([7]);
  expect(fit([8], ['time'], sizes)).toBeUndefined();
});
