import { expect, test } from 'vitest';
import { createDataset, take } from './dataset.js';
import { split, splitRows } from './split.js';

const dataset = createDataset([
  {
    name: 'x',
    type: 'float32',
    shape: [10, 2],
    data: Float32Array.from({ length: 20 }, (_, i) => i),
  },
  {
    name: 'y',
    type: 'int64',
    shape: [10],
    data: BigInt64Array.from({ length: 10 }, (_, i) => BigInt(i)),
  },
]);

test('a fraction: disjoint, complete, in order, decided by the seed', () => {
  const { train, heldOut } = splitRows(1797, 0.2, 3);
  expect(heldOut.length).toBe(359);
  const rows = [...train, ...heldOut];
  expect(new Set(rows).size).toBe(1797);
  expect([...heldOut]).toEqual([...heldOut].sort((a, b) => a - b));
  expect(splitRows(1797, 0.2, 3)).toEqual({ train, heldOut });
  expect(splitRows(1797, 0.2, 4).heldOut).not.toEqual(heldOut);
});

test('rows given by hand; columns stay together', () => {
  const { train, heldOut } = split(dataset, [9, 0]);
  expect(heldOut.length).toBe(2);
  expect(heldOut.columns.get('x')).toMatchObject({
    shape: [2, 2],
    data: Float32Array.of(0, 1, 18, 19),
  });
  expect(heldOut.columns.get('y')?.data).toEqual(BigInt64Array.of(0n, 9n));
  expect(train.columns.get('y')?.data).toEqual(BigInt64Array.of(1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n));
});

test.each([
  [0, /fraction to hold out is 0/],
  [1, /fraction to hold out is 1/],
  [Number.NaN, /fraction to hold out is NaN/],
  [0.01, /0 would be held out/],
  [0.99, /0 trained on|and 0 trained/],
  [[10], /Row 10 of a data set of 10/],
  [[-1], /Row -1/],
  [[0.5], /Row 0.5/],
  [[1, 1], /named twice/],
  [[], /0 would be held out/],
])('%o is refused', (heldOut, message) => {
  expect(() => split(dataset, heldOut)).toThrow(message);
  expect(() => split(dataset, heldOut)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION' }),
  );
});

test('take gathers rows, repeated or none, into memory of its own', () => {
  const batch = take(dataset, [3, 3, 1]);
  expect(batch.length).toBe(3);
  expect(batch.columns.get('x')?.data).toEqual(Float32Array.of(6, 7, 6, 7, 2, 3));
  batch.columns.get('x')!.data.fill(0 as never);
  expect(dataset.columns.get('x')?.data[6]).toBe(6);
  expect(take(dataset, []).columns.get('x')?.shape).toEqual([0, 2]);
  expect(() => take(dataset, [10])).toThrow(/Row 10/);
});

test('a data set refuses columns that contradict their shape or each other', () => {
  const x = { name: 'x', type: 'float32', shape: [2], data: Float32Array.of(1, 2) } as const;
  expect(() => createDataset([{ ...x, shape: [3] }])).toThrow(/shape \[3\] cannot hold 2 values/);
  expect(() => createDataset([{ ...x, shape: [] }])).toThrow(/cannot hold/);
  expect(() => createDataset([x, x])).toThrow(/Two columns are named "x"/);
  expect(() => createDataset([x, { ...x, name: 'y', shape: [1, 2] }])).toThrow(
    /same number of examples/,
  );
});
