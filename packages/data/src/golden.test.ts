import { readFile } from 'node:fs/promises';
import { fromFloat16 } from '@gradware/core';
import { expect, test } from 'vitest';
import { decodeDataset } from './decode.js';
import type { NdArray } from './elements.js';
import { decodeNpy, NPY_TYPES } from './npy.js';
import { decodeNpz } from './npz.js';

// Written by NumPy: ../golden/make.py
const golden = async (name: string) =>
  new Uint8Array(await readFile(new URL(`../golden/${name}`, import.meta.url)));

function numbers({ type, data }: NdArray): number[] {
  const values = Array.from(data as Iterable<number | bigint>, Number);
  return type === 'float16' ? values.map(fromFloat16) : values;
}

function counted(length: number, type: string): number[] {
  return Array.from({ length }, (_, i) => (type === 'bool' ? i % 2 : i));
}

test('every element type, in either byte order and memory order, deflated', async () => {
  const arrays = decodeNpz(await golden('types.npz'));
  expect(arrays.size).toBe(3 * Object.keys(NPY_TYPES).length);
  for (const [code, type] of Object.entries(NPY_TYPES)) {
    for (const [form, shape] of [
      ['little', [3, 2]],
      ['big', [3, 2]],
      ['fortran', [3, 2, 2]],
    ] as const) {
      const array = arrays.get(`${form}_${code}`)!;
      expect(array.type, `${form} ${code}`).toBe(type);
      expect(array.shape).toEqual(shape);
      expect(numbers(array), `${form} ${code}`).toEqual(counted(form === 'fortran' ? 12 : 6, type));
    }
  }
});

test('scalars, empty arrays and deep Fortran order, stored', async () => {
  const arrays = decodeNpz(await golden('shapes.npz'));
  const shapes = Object.fromEntries([...arrays].map(([name, { shape }]) => [name, shape]));
  expect(shapes).toEqual({
    scalar: [],
    empty: [0, 4],
    empty_fortran: [0, 4],
    vector: [5],
    deep: [2, 3, 1, 4],
  });
  expect(numbers(arrays.get('deep')!)).toEqual(counted(24, 'float32'));
  expect(arrays.get('vector')!.data).toEqual(BigInt64Array.of(0n, 1n, 2n, 3n, 4n));
  expect(arrays.get('scalar')!.data).toEqual(Float32Array.of(0));
});

test('format version 2', async () => {
  const array = decodeNpy(await golden('version2.npy'));
  expect(array).toEqual({ type: 'int32', shape: [2, 3], data: Int32Array.of(0, 1, 2, 3, 4, 5) });
});

test('text and complex numbers in an archive are set aside, with the reason', async () => {
  const dataset = decodeDataset(await golden('refused.npz'));
  expect([...dataset.columns.keys()]).toEqual(['x']);
  expect(dataset.ignored?.get('text')).toContain('holds text');
  expect(dataset.ignored?.get('complex')).toContain('complex numbers');
});
