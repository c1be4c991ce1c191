import { expect, test } from 'vitest';
import { type BatchOptions, batchCount, batches } from './batches.js';

const all = (options: BatchOptions) => [...batches(options)].map((rows) => [...rows]);

test('in order, with and without the partial last batch', () => {
  expect(all({ length: 5, batchSize: 2 })).toEqual([[0, 1], [2, 3], [4]]);
  expect(all({ length: 5, batchSize: 2, dropLast: true })).toEqual([
    [0, 1],
    [2, 3],
  ]);
  expect(batchCount({ length: 5, batchSize: 2 })).toBe(3);
  expect(batchCount({ length: 5, batchSize: 2, dropLast: true })).toBe(2);
});

test('a shuffled epoch visits every example once', () => {
  const rows = all({ length: 103, batchSize: 10, shuffle: true, seed: 5 }).flat();
  expect(rows).not.toEqual(rows.toSorted((a, b) => a - b));
  expect(rows.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 103 }, (_, i) => i));
});

test('seed and epoch alone decide the order; iterating again repeats it', () => {
  const options = { length: 50, batchSize: 8, shuffle: true, seed: 1, epoch: 7 };
  const later = batches(options);
  expect([...later]).toEqual([...later]);
  expect(all(options)).toEqual(all(options));
  expect(all(options)).not.toEqual(all({ ...options, epoch: 8 }));
  expect(all(options)).not.toEqual(all({ ...options, seed: 2 }));
});

test('an epoch continues from any batch', () => {
  const options = { length: 50, batchSize: 8, shuffle: true, epoch: 2 };
  expect(all({ ...options, start: 3 })).toEqual(all(options).slice(3));
  expect(all({ ...options, start: 9 })).toEqual([]);
});

test('a yielded batch is the caller’s own', () => {
  const epoch = batches({ length: 4, batchSize: 2 });
  for (const rows of epoch) rows.fill(-1);
  expect([...epoch].map((rows) => [...rows])).toEqual([
    [0, 1],
    [2, 3],
  ]);
});

test.each([
  [{ length: 10, batchSize: 11 }, /batch of 11 is larger than the data, 10 examples/],
  [{ length: 0, batchSize: 1 }, /larger than the data/],
  [{ length: 10, batchSize: 0 }, /batch size is 0/],
  [{ length: 10, batchSize: 2.5 }, /batch size is 2.5/],
  [{ length: 10, batchSize: 2, seed: -1 }, /seed is -1/],
  [{ length: 10, batchSize: 2, epoch: Number.NaN }, /epoch is NaN/],
  [{ length: 10, batchSize: 2, start: -1 }, /start is -1/],
])('%o is refused before the first batch', (options, message) => {
  expect(() => batches(options)).toThrow(message);
  expect(() => batches(options)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
});
