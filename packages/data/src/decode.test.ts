import { gzipSync, strToU8, zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { decodeDataset, type ReadOptions } from './decode.js';
import type { NdArray } from './elements.js';
import { createRandom } from './random.js';
import { writeNpy, writeNpz } from './write-npy.js';

const idx = (type: number, dims: number[], body: number[]) =>
  Uint8Array.of(0, 0, type, dims.length, ...dims.flatMap((dim) => [0, 0, 0, dim]), ...body);

const images = idx(8, [2, 1, 3], [1, 2, 3, 4, 5, 6]);
const labels = idx(8, [2], [7, 9]);
const x: NdArray = { type: 'float32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) };
const y: NdArray = { type: 'int64', shape: [2], data: BigInt64Array.of(7n, 9n) };
const npz = writeNpz(
  new Map([
    ['x', x],
    ['y', y],
  ]),
);

test('a pair of IDX files, gzipped or not, gives images and labels', () => {
  const dataset = decodeDataset([
    { name: 'mnist/train-images-idx3-ubyte.gz', bytes: gzipSync(images) },
    { name: 'mnist/train-labels.idx1-ubyte', bytes: labels },
  ]);
  expect(dataset.length).toBe(2);
  expect(dataset.columns.get('images')).toMatchObject({ type: 'uint8', shape: [2, 1, 3] });
  expect(dataset.columns.get('labels')?.data).toEqual(Uint8Array.of(7, 9));
});

test('IDX of wider types is big-endian', () => {
  const short = decodeDataset(idx(11, [1], [255, 254]));
  expect(short.columns.get('data')?.data).toEqual(Int16Array.of(-2));
  const float = decodeDataset(idx(13, [1], [0x3f, 0x80, 0, 0]));
  expect(float.columns.get('data')?.data).toEqual(Float32Array.of(1));
});

test('formats are told by content when the name says nothing', () => {
  for (const bytes of [npz, gzipSync(npz), Buffer.from(npz)]) {
    expect([...decodeDataset(bytes).columns.keys()]).toEqual(['x', 'y']);
  }
  expect(decodeDataset(writeNpy(x)).columns.get('data')?.shape).toEqual([2, 3]);
  expect(decodeDataset(strToU8('a\n1'), { format: 'csv' }).length).toBe(1);
  expect(() => decodeDataset(strToU8('a\n1'))).toThrow(
    expect.objectContaining({ code: 'UNSUPPORTED' }),
  );
});

test('.npy columns are named as their files', () => {
  const dataset = decodeDataset([
    { name: 'a/x.npy', bytes: writeNpy(x) },
    { name: 'a\\y.npy.gz', bytes: gzipSync(writeNpy(y)) },
  ]);
  expect([...dataset.columns.keys()]).toEqual(['x', 'y']);
});

test('columns chosen by name are the only ones looked at', () => {
  const mixed = writeNpz(
    new Map([
      ['x_train', x],
      ['y_train', y],
      ['x_test', { type: 'float32', shape: [1, 3], data: Float32Array.of(1, 2, 3) }],
      ['classes', { type: 'int64', shape: [], data: BigInt64Array.of(10n) }],
    ]),
  );
  expect(() => decodeDataset(mixed)).toThrow(/do not have the same number of examples/);
  const dataset = decodeDataset(mixed, { columns: ['*_train'] });
  expect([...dataset.columns.keys()]).toEqual(['x_train', 'y_train']);
  expect(() => decodeDataset(mixed, { columns: ['x_trian'] })).toThrow(/Did you mean x_train/);
  expect(() => decodeDataset(mixed, { columns: ['classes'] })).toThrow(/classes: a single value/);
});

test('a column may be chosen from several files', () => {
  const files = [
    { name: 'x.npy', bytes: writeNpy(x) },
    { name: 'y.npy', bytes: writeNpy(y) },
  ];
  expect([...decodeDataset(files, { columns: ['y'] }).columns.keys()]).toEqual(['y']);
});

test('files that do not belong together are refused', () => {
  const three = { ...x, shape: [3, 2] };
  expect(() =>
    decodeDataset([
      { name: 'x.npy', bytes: writeNpy(three) },
      { name: 'y.npy', bytes: writeNpy(y) },
    ]),
  ).toThrow(/x\.npy, column "x": 3, y\.npy, column "y": 2/);
  const twice = ['train-images-idx3-ubyte', 't10k-images-idx3-ubyte'].map((name) => ({
    name,
    bytes: images,
  }));
  expect(() => decodeDataset(twice)).toThrow(/Two columns are named "images" \(train-.* and t10k-/);
});

test('an unknown format given by hand is refused', () => {
  const format = 'toString' as ReadOptions['format'] & string;
  expect(() => decodeDataset(npz, { format })).toThrow(
    expect.objectContaining({ code: 'UNSUPPORTED' }),
  );
});

test.each([
  ['npz', npz],
  [
    'npz, compressed',
    writeNpz(
      new Map([
        ['x', x],
        ['y', y],
      ]),
      { compress: true },
    ),
  ],
  ['npy', writeNpy(x)],
  ['idx', images],
  ['csv', strToU8('a,b\n1,2\n3,"4"\n')],
  ['npy.gz', gzipSync(writeNpy(x))],
])('damage to %s gives data or a GradwareError, nothing else', (name, bytes) => {
  const file = `x.${name.replace(/,.*/, '')}`;
  const random = createRandom(7);
  for (let round = 0; round < 1500; round++) {
    const damaged = round < bytes.length ? bytes.slice(0, round) : bytes.slice();
    for (let flips = round < bytes.length ? 0 : 1 + random.below(4); flips > 0; flips--) {
      damaged[random.below(damaged.length)]! ^= 1 << random.below(8);
    }
    let problem: unknown;
    try {
      expect(
        decodeDataset({ name: file, bytes: damaged }, { maxBytes: 1 << 20 }).length,
      ).toBeLessThan(1 << 20);
    } catch (error) {
      problem = error;
    }
    if (problem !== undefined)
      expect(problem, `round ${round}`).toMatchObject({ name: 'GradwareError' });
  }
});

test('rows are counted by the columns that are meant', () => {
  const counts: NdArray = { type: 'int64', shape: [3], data: BigInt64Array.of(1n, 2n, 3n) };
  const mixed = writeNpz(
    new Map([
      ['x', x],
      ['y', y],
      ['counts', counts],
    ]),
  );
  const dataset = decodeDataset(mixed, { rowsOf: ['x', 'none'] });
  expect([...dataset.columns.keys()]).toEqual(['x', 'y']);
  expect(dataset.ignored?.get('counts')).toBe('it has 3 rows, and the examples are 2');
  // Where those that are meant do not agree, that is what is wrong.
  expect(() => decodeDataset(mixed, { rowsOf: ['x', 'counts'] })).toThrow(
    /same number of examples/,
  );
});

/** As np.save writes text. */
function npyOfText(descr: string, body: Uint8Array, length: number): Uint8Array {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${length},), }`;
  const padded = `${header.padEnd(117)}\n`;
  return Uint8Array.of(...[0x93, ...strToU8('NUMPY'), 1, 0, 118, 0], ...strToU8(padded), ...body);
}

const utf32 = (texts: readonly string[], width: number, littleEndian: boolean) => {
  const view = new DataView(new ArrayBuffer(texts.length * width * 4));
  for (const [i, text] of texts.entries())
    for (const [j, sign] of [...text].entries())
      view.setUint32((i * width + j) * 4, sign.codePointAt(0) ?? 0, littleEndian);
  return new Uint8Array(view.buffer);
};
const fruits = ['pear', '🍎', 'pear', ''];

test.each([
  ['text', npyOfText('<U4', utf32(fruits, 4, true), 4)],
  ['text of big end', npyOfText('>U4', utf32(fruits, 4, false), 4)],
  ['byte strings', npyOfText('|S4', strToU8('pear🍎pear\0\0\0\0'), 4)],
])('names of classes in an array of %s', (_, bytes) => {
  const data = { name: 'folder/y.npy', bytes };
  const dataset = decodeDataset(data, { classes: { y: 'found' } });
  expect([...(dataset.columns.get('y')?.data ?? [])]).toEqual([1, 2, 1, 0]);
  expect(dataset.classes).toEqual(new Map([['y', ['', 'pear', '🍎']]]));
  expect(() => decodeDataset(data, { classes: { y: ['', 'pear'] } })).toThrow(
    /"🍎" is not one of the classes.*row 1/,
  );
  const archive = {
    name: 'a.npz',
    bytes: zipSync({
      'y.npy': bytes,
      'x.npy': writeNpy({ ...y, shape: [4], data: new BigInt64Array(4) }),
    }),
  };
  const both = decodeDataset(archive, { classes: { y: 'found' } });
  expect([...(both.columns.get('y')?.data ?? [])]).toEqual([1, 2, 1, 0]);
  expect(decodeDataset(archive).ignored?.get('y')).toMatch(/text|byte strings/);
  expect(() =>
    decodeDataset({ name: 'y.npy', bytes: bytes.slice(0, -1) }, { classes: { y: 'found' } }),
  ).toThrow(/cut off/);
});
