import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'fflate';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type NdArray, readDataset, writeNpy, writeNpz } from './node.js';

const x: NdArray = { type: 'float32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) };
const y: NdArray = { type: 'int32', shape: [2], data: Int32Array.of(0, 1) };
const idx = (body: number[]) => Uint8Array.of(0, 0, 8, 1, 0, 0, 0, body.length, ...body);

let folder = '';
const at = (...path: string[]) => join(folder, ...path);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'data-'));
  await mkdir(at('mnist'));
  await mkdir(at('empty'));
  await mkdir(at('arrays'));
  const files: Record<string, Uint8Array | string> = {
    'both.npz': writeNpz(
      new Map([
        ['x', x],
        ['y', y],
      ]),
    ),
    'a,b.csv': 'a,b\n1,2\n',
    'arrays/x.npy': writeNpy(x),
    'arrays/y.npy.gz': gzipSync(writeNpy(y)),
    'arrays/README.md': 'not data',
    'mnist/train-images-idx1-ubyte.gz': gzipSync(idx([1, 2, 3])),
    'mnist/train-labels-idx1-ubyte': idx([7, 8, 9]),
    'mnist/t10k-images-idx1-ubyte': idx([1]),
    'mnist/t10k-labels-idx1-ubyte': idx([7]),
    'empty/notes.txt': 'nothing',
  };
  for (const [name, content] of Object.entries(files)) await writeFile(at(name), content);
});

afterAll(() => rm(folder, { recursive: true }));

const names = async (source: string) => [...(await readDataset(source)).columns.keys()];

test('a file, a folder, a list, a glob, bytes', async () => {
  expect(await names(at('both.npz'))).toEqual(['x', 'y']);
  expect(await names(at('arrays'))).toEqual(['x', 'y']);
  expect(await names(`${at('arrays', 'y.npy.gz')}, ${at('arrays', 'x.npy')}`)).toEqual(['y', 'x']);
  expect(await names(at('mnist', 'train-*'))).toEqual(['images', 'labels']);
  expect(await names(at('a,b.csv'))).toEqual(['a', 'b']);
  expect((await readDataset(writeNpy(x))).length).toBe(2);
});

test('columns know their file', async () => {
  const { columns } = await readDataset(at('mnist', 't10k-*'));
  expect(columns.get('labels')).toMatchObject({
    source: at('mnist', 't10k-labels-idx1-ubyte'),
    data: Uint8Array.of(7),
  });
});

test.each([
  ['a missing file', () => at('none.npz'), /no such file/],
  ['a missing file in a list', () => `${at('both.npz')},${at('none.npz')}`, /none\.npz/],
  ['an empty source', () => '', /no such file/],
  ['a folder without data', () => at('empty'), /no data file there[\s\S]*found notes\.txt/],
  ['a glob that matches nothing', () => at('mnist', 'valid-*'), /no data file there/],
  ['a glob in a folder that is not there', () => at('none', '*'), /Cannot be read: ENOENT/],
])('%s', async (_, source, message) => {
  await expect(readDataset(source())).rejects.toThrow(message);
  await expect(readDataset(source())).rejects.toMatchObject({
    name: 'GradwareError',
    code: 'FILE',
  });
});

test('a device is not read', async () => {
  await expect(readDataset('/dev/zero', { format: 'csv' })).rejects.toMatchObject({ code: 'FILE' });
});

test('a folder with two sets says which files clash', async () => {
  await expect(readDataset(at('mnist'))).rejects.toThrow(
    /Two columns are named "images".*t10k-images.*train-images/,
  );
});

test('files count against maxBytes before they are read', async () => {
  await expect(readDataset(at('both.npz'), { maxBytes: 100 })).rejects.toMatchObject({
    code: 'OUT_OF_MEMORY',
  });
});
