import { type DataType, fromFloat16, type TypedArray, toFloat16 } from '@gradware/core';
import { expect, test } from 'vitest';
import { type Column, createDataset } from './dataset.js';
import { toInputs } from './inputs.js';
import type { WantedInput } from './match.js';

const column = (name: string, type: DataType, shape: number[], data: TypedArray): Column => ({
  name,
  type,
  shape,
  data,
  source: 'd.npz',
});

const images = column('x', 'uint8', [2, 4], Uint8Array.of(0, 51, 102, 255, 1, 2, 3, 4));
const labels = column('y', 'int32', [2], Int32Array.of(7, 9));
const digits = createDataset([images, labels]);
const input: WantedInput = { name: 'input', type: 'float32', shape: ['batch', 1, 2, 2] };
const target: WantedInput = { name: 'labels', type: 'int64', shape: ['batch'] };

const table = createDataset([
  column('a', 'float64', [2], Float64Array.of(1, 2)),
  column('b', 'float64', [2], Float64Array.of(3, 4)),
  column('c', 'float64', [2], Float64Array.of(5, 6.5)),
]);

test('columns that fit only one input need no mapping; types and shapes are brought over', () => {
  const { columns, length } = toInputs(digits, [input, target]);
  expect(length).toBe(2);
  expect(columns.get('input')).toMatchObject({
    type: 'float32',
    shape: [2, 1, 2, 2],
    data: Float32Array.of(0, 51, 102, 255, 1, 2, 3, 4),
  });
  expect(columns.get('labels')).toMatchObject({
    type: 'int64',
    shape: [2],
    data: BigInt64Array.of(7n, 9n),
  });
});

test('a column of the same name is taken even where others fit', () => {
  const { columns } = toInputs(table, [{ name: 'b', type: 'float64', shape: [null] }]);
  expect(columns.get('b')?.data).toEqual(Float64Array.of(3, 4));
});

test('what fits as it is shares its memory', () => {
  const { columns } = toInputs(digits, [{ name: 'y', type: 'int32', shape: ['n', 1] }]);
  expect(columns.get('y')).toMatchObject({ shape: [2, 1] });
  expect(columns.get('y')?.data).toBe(labels.data);
});

test('columns named together lie side by side, in the order named', () => {
  const wanted = { name: 'input', type: 'float32', shape: ['n', 2] } as const;
  const chosen = toInputs(table, [wanted], { input: 'b,a' });
  expect(chosen.columns.get('input')).toMatchObject({
    shape: [2, 2],
    data: Float32Array.of(3, 1, 4, 2),
  });
  const same = toInputs(table, [{ ...wanted, type: 'float64' }], { input: 'a..b' });
  expect(same.columns.get('input')?.data).toEqual(Float64Array.of(1, 3, 2, 4));
  const wide = createDataset([images, column('z', 'float32', [2, 1], Float32Array.of(0.5, 1.5))]);
  const mixed = toInputs(wide, [{ ...wanted, shape: ['n', 5] }], { input: '*' });
  expect(mixed.columns.get('input')?.data).toEqual(
    Float32Array.of(0, 51, 102, 255, 0.5, 1, 2, 3, 4, 1.5),
  );
});

test.each([[['n', 2] as const], [['n', 'features'] as const]])(
  'scalar columns that are left fill the one open input together: %o',
  (shape) => {
    const wanted = [
      { name: 'input', type: 'float32', shape },
      { name: 'y', type: 'float32', shape: ['n'] },
    ] as const;
    const { columns } = toInputs(table, wanted, { y: 'c' });
    expect(columns.get('input')).toMatchObject({
      shape: [2, 2],
      data: Float32Array.of(1, 3, 2, 4),
    });
  },
);

test('one column may feed two inputs when the mapping says so', () => {
  const { columns } = toInputs(digits, [input, { ...input, name: 'again' }], {
    input: 'x',
    again: 'x',
  });
  expect(columns.get('again')?.data).toEqual(columns.get('input')?.data);
});

test('scaling happens when asked for', () => {
  const { columns } = toInputs(digits, [input], { input: 'x' }, { scale: { input: 1 / 255 } });
  expect(columns.get('input')?.data[3]).toBe(1);
  expect(columns.get('input')?.data[1]).toBe(Math.fround(51 / 255));
});

test.each<[string, DataType, TypedArray, DataType, TypedArray]>([
  ['labels as floats', 'float64', Float64Array.of(3, -4), 'int64', BigInt64Array.of(3n, -4n)],
  [
    'rounding between floats',
    'float64',
    Float64Array.of(0.1, Number.NaN),
    'float32',
    Float32Array.of(0.1, Number.NaN),
  ],
  [
    'infinity stays',
    'float32',
    Float32Array.of(-Infinity, 1),
    'float64',
    Float64Array.of(-Infinity, 1),
  ],
  [
    'half to single',
    'float16',
    Uint16Array.of(toFloat16(1.5), toFloat16(-2)),
    'float32',
    Float32Array.of(1.5, -2),
  ],
  [
    'single to half',
    'float32',
    Float32Array.of(1.5, -2),
    'float16',
    Uint16Array.of(0x3e00, 0xc000),
  ],
  [
    'single to bfloat16',
    'float32',
    Float32Array.of(1, -2),
    'bfloat16',
    Uint16Array.of(0x3f80, 0xc000),
  ],
  ['wide to narrow integers', 'int64', BigInt64Array.of(255n, 0n), 'uint8', Uint8Array.of(255, 0)],
  ['signs', 'uint64', BigUint64Array.of(1n, 2n), 'int64', BigInt64Array.of(1n, 2n)],
  ['truth', 'uint8', Uint8Array.of(0, 1), 'bool', Uint8Array.of(0, 1)],
  ['truth as numbers', 'bool', Uint8Array.of(0, 1), 'float32', Float32Array.of(0, 1)],
])('casts: %s', (_, from, data, to, expected) => {
  const dataset = createDataset([column('v', from, [2], data)]);
  expect(
    toInputs(dataset, [{ name: 'in', type: to, shape: [null] }]).columns.get('in')?.data,
  ).toEqual(expected);
});

test.each<[DataType, TypedArray, DataType, string]>([
  ['float64', Float64Array.of(1, 1.5), 'int64', '1.5 in row 1'],
  ['float64', Float64Array.of(1, Number.NaN), 'int32', 'NaN in row 1'],
  ['float64', Float64Array.of(1, 1e300), 'float32', '1e+300 in row 1'],
  ['float32', Float32Array.of(1, 70000), 'float16', '70000 in row 1'],
  ['int32', Int32Array.of(1, 2 ** 24 + 1), 'float32', '16777217 in row 1'],
  ['int32', Int32Array.of(1, 2049), 'float16', '2049 in row 1'],
  ['int64', BigInt64Array.of(1n, 2n ** 53n + 1n), 'float64', '9007199254740993 in row 1'],
  ['int64', BigInt64Array.of(1n, -1n), 'uint64', '-1 in row 1'],
  ['int16', Int16Array.of(0, 128), 'int8', '128 in row 1'],
  ['uint8', Uint8Array.of(0, 2), 'bool', '2 in row 1'],
])('refuses %s %o as %s, and says where', (from, data, to, message) => {
  const dataset = createDataset([column('v', from, [2], data)]);
  const cast = () => toInputs(dataset, [{ name: 'in', type: to, shape: [null] }]);
  expect(cast).toThrow(message);
  expect(cast).toThrow(
    expect.objectContaining({ code: 'INVALID_DATA', where: 'd.npz, column "v"' }),
  );
});

test('half floats keep every value through single precision', () => {
  const data = Uint16Array.from({ length: 0x7c00 }, (_, i) => i);
  const dataset = createDataset([column('h', 'float16', [data.length], data)]);
  const single = toInputs(dataset, [{ name: 's', type: 'float32', shape: ['n'] }]);
  expect(single.columns.get('s')?.data[0x3555]).toBe(fromFloat16(0x3555));
  const back = toInputs(single, [{ name: 'h', type: 'float16', shape: ['n'] }], { h: 's' });
  expect(back.columns.get('h')?.data).toEqual(data);
});

test.each<[string, () => unknown, RegExp, string]>([
  [
    'a shape that does not fit',
    () => toInputs(digits, [{ ...input, shape: ['n', 5] }], { input: 'x' }),
    /input "input": expected float32 \[n, 5\], found x uint8 \[2, 4\] \(d\.npz, column "x"\)/,
    'INVALID_DATA',
  ],
  [
    'axes in another order',
    () =>
      toInputs(
        createDataset([column('x', 'uint8', [1, 2, 2, 3], new Uint8Array(12))]),
        [{ ...input, shape: ['n', 3, 2, 2] }],
        { input: 'x' },
      ),
    /transpose/,
    'INVALID_DATA',
  ],
  [
    'no column that fits',
    () => toInputs(digits, [{ ...target, shape: ['n', 3] }]),
    /No column fits .*"labels".*x uint8 \[2, 4\]/,
    'INVALID_DATA',
  ],
  [
    'one-hot labels',
    () =>
      toInputs(createDataset([images, column('y', 'float32', [2, 3], new Float32Array(6))]), [
        input,
        target,
      ]),
    /labels=<column>.*argmax/,
    'INVALID_DATA',
  ],
  [
    'what was set aside',
    () =>
      toInputs(createDataset([images], new Map([['y', 'The array holds text']])), [input, target]),
    /found no column[\s\S]*Set aside: y \(The array holds text\)/,
    'INVALID_DATA',
  ],
  [
    'numbers in place of classes',
    () => toInputs(table, [target], { labels: 'c' }),
    /6\.5 in row 1 cannot become int64[\s\S]*another loss, such as mse/,
    'INVALID_DATA',
  ],
  [
    'several that fit',
    () => toInputs(table, [target]),
    /More than one column fits .*"labels"[\s\S]*labels=<column>/,
    'INVALID_DATA',
  ],
  [
    'one column for two inputs',
    () => toInputs(digits, [target, { ...target, name: 'other' }]),
    /One column fits several model inputs/,
    'INVALID_DATA',
  ],
  [
    'named dimensions that disagree',
    () =>
      toInputs(
        createDataset([
          column('a', 'float32', [1, 3], new Float32Array(3)),
          column('b', 'float32', [1, 4], new Float32Array(4)),
        ]),
        [
          { name: 'a', type: 'float32', shape: ['n', 't'] },
          { name: 'b', type: 'float32', shape: ['n', 't'] },
        ],
      ),
    /another input has t = 3/,
    'INVALID_DATA',
  ],
  [
    'a misspelt column',
    () => toInputs(table, [target], { labels: 'a,d*' }),
    /no column "d\*"/,
    'INVALID_OPTION',
  ],
  [
    'a misspelt input',
    () => toInputs(digits, [input], { inptu: 'x' }),
    /no input "inptu"[\s\S]*Did you mean input/,
    'INVALID_OPTION',
  ],
  [
    'a scale for labels',
    () => toInputs(digits, [target], {}, { scale: { labels: 2 } }),
    /scale is 2/,
    'INVALID_OPTION',
  ],
  [
    'a scale that is no number',
    () => toInputs(digits, [input], {}, { scale: { input: Number.NaN } }),
    /scale is NaN/,
    'INVALID_OPTION',
  ],
  [
    'a scale for an unknown input',
    () => toInputs(digits, [input], {}, { scale: { x: 2 } }),
    /no input "x"/,
    'INVALID_OPTION',
  ],
  [
    'text',
    () => toInputs(digits, [{ ...input, type: 'string' }]),
    /cannot be filled/,
    'UNSUPPORTED',
  ],
  [
    'a scalar input',
    () => toInputs(digits, [{ ...input, shape: [] }]),
    /cannot be filled/,
    'UNSUPPORTED',
  ],
])('refuses %s', (_, run, message, code) => {
  expect(run).toThrow(message);
  expect(run).toThrow(expect.objectContaining({ code }));
});

test('what an archive holds beside columns is explained when wanted', () => {
  const ignored = new Map([['names', 'The array holds text']]);
  const dataset = createDataset([labels], ignored);
  expect(() => toInputs(dataset, [target], { labels: 'names' })).toThrow(
    /"names" cannot be a column: .*holds text/,
  );
});

test('for a table, the remedy names its columns and the other way round', () => {
  const wanted = { ...input, name: 'x', shape: ['n', 2] };
  expect(() => toInputs(table, [wanted, { ...target, name: 'y' }])).toThrow(
    /Say which columns it is made of, as in x=a,b, or only what belongs elsewhere, as in y=c: then the rest is x\./,
  );
});

test('for a table whose labels are names, the remedy points at them', () => {
  const ignored = new Map([['species', 'text, such as "red" in line 2']]);
  const flowers = createDataset([...table.columns.values()], ignored);
  const wanted = { ...input, name: 'x', shape: ['n', table.columns.size] };
  expect(() => toInputs(flowers, [wanted, { ...target, name: 'y' }])).toThrow(
    /The column "species" holds text: if these are the names of classes, say so \(option classes\)\./,
  );
});
