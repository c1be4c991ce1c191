import { expect, test } from 'vitest';
import type { NdArray } from './elements.js';
import { elementsOf } from './elements.js';
import { decodeNpy, NPY_TYPES } from './npy.js';
import { decodeNpz } from './npz.js';
import { writeNpy, writeNpz } from './write-npy.js';

const arrays = new Map<string, NdArray>(
  Object.values(NPY_TYPES).map((type) => [
    type,
    { type, shape: [2, 4], data: elementsOf(type, new Uint8Array(8 * elementSize(type)).fill(1)) },
  ]),
);

function elementSize(type: string): number {
  return type === 'bool' ? 1 : Number(/\d+/.exec(type)?.[0]) / 8;
}

test('what is written is read back, type by type', () => {
  for (const array of arrays.values()) expect(decodeNpy(writeNpy(array))).toEqual(array);
});

test.each([false, true])('archives come back, compressed: %s', (compress) => {
  const bytes = writeNpz(arrays, { compress });
  expect(decodeNpz(bytes)).toEqual(arrays);
  expect(writeNpz(arrays, { compress })).toEqual(bytes);
});

test('scalars, vectors and empty arrays', () => {
  for (const shape of [[], [1], [0], [3, 0], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]]) {
    const data = new Float32Array(shape.includes(0) ? 0 : 1).fill(7);
    const bytes = writeNpy({ type: 'float32', shape, data });
    expect((bytes.length - data.byteLength) % 64).toBe(0);
    expect(decodeNpy(bytes)).toEqual({ type: 'float32', shape, data });
  }
});

test('types that NumPy lacks, and shapes that lie, are refused', () => {
  const data = Uint16Array.of(1);
  expect(() => writeNpy({ type: 'bfloat16', shape: [1], data })).toThrow(/no type for bfloat16/);
  expect(() => writeNpy({ type: 'uint16', shape: [2], data })).toThrow(/do not make/);
});
