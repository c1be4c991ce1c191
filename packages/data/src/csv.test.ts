import { gzipSync, strToU8 } from 'fflate';
import { expect, test } from 'vitest';
import { decodeDataset, type ReadOptions } from './decode.js';

const read = (text: string, options: ReadOptions = {}) =>
  decodeDataset({ name: 'x.csv', bytes: strToU8(text) }, options);

const values = (text: string, options?: ReadOptions) =>
  Object.fromEntries([...read(text, options).columns].map(([name, { data }]) => [name, [...data]]));

test('columns are named by the first line and read as float64', () => {
  const dataset = read('a,b\n1,2.5\n-3e2,4\n');
  expect(dataset.length).toBe(2);
  expect(dataset.columns.get('a')).toEqual({
    name: 'a',
    type: 'float64',
    shape: [2],
    data: Float64Array.of(1, -300),
    source: 'x.csv',
  });
});

test.each([
  [
    'byte order mark, CRLF, spaces, quotes, empty lines',
    '\ufeffa, "b,c"\r\n 1 ,"2"\r\n\r\n3,4',
    { a: [1, 3], 'b,c': [2, 4] },
    {},
  ],
  ['another delimiter', 'a;b\n1;2', { a: [1], b: [2] }, { delimiter: ';' }],
  ['no header', '1,2\n3,4', { 0: [1, 3], 1: [2, 4] }, { header: false }],
  ['a header alone', 'a,b\n', { a: [], b: [] }, {}],
  [
    'only the columns asked for',
    'id,x1,x2,note\nq,1,2,"a\nb"\nr,3,4,',
    { x1: [1, 3], x2: [2, 4] },
    { columns: ['x*'] },
  ],
])('%s', (_, text, expected, options) => {
  expect(values(text, options)).toEqual(expected);
});

test('more lines than the first allocation', () => {
  const lines = Array.from({ length: 1000 }, (_, i) => `${i},${-i}`);
  const { a, b } = values(`a,b\n${lines.join('\n')}`);
  expect(a).toEqual(lines.map((_, i) => i));
  expect(b?.at(-1)).toBe(-999);
});

test('tab-separated and gzipped, told by name', () => {
  const bytes = gzipSync(strToU8('a\tb\n1\t2\n'));
  const dataset = decodeDataset({ name: 'dir/x.tsv.gz', bytes });
  expect([...dataset.columns.keys()]).toEqual(['a', 'b']);
});

test.each<[string, string, RegExp, ReadOptions?]>([
  ['an empty field', 'a,b\n1,2\n3,\n', /An empty field \(x\.csv, line 3, column "b"\)/],
  ['a word', 'a,b\n1,2\n3,x\n', /"x" is not a number \(x\.csv, line 3, column "b"\)/],
  ['words alone', 'a\nx\n', /no column of numbers in the data \(a: text, such as "x" in line 2\)/],
  ['not a number', 'a\nNaN\n', /"NaN" is not a number/],
  ['infinity', 'a\n1e999\n', /"1e999" is not a number/],
  ['a short line', 'a,b\n1,2\n3\n', /1 fields where there are 2 columns \(x\.csv, line 3\)/],
  ['a long line', 'a,b\n1,2,3\n', /3 fields where there are 2 columns \(x\.csv, line 2\)/],
  ['an open quote', 'a,b\n1,"2\n', /[Qq]uote/],
  ['an empty file', '', /empty/],
  ['a repeated name, as in a file without a header', '0,0,1\n1,2,3', /Two columns are named "0"/],
  ['columns without names', ',\n1,2', /No column has a name/],
  ['another delimiter than was said', 'a;b\n1;2', /separated by ";"/, { delimiter: ',' }],
  ['a comma for a point', 'a;b\n1,5;2', /"1,5" is not a number[\s\S]*written with a point/],
  ['a gap that has a name', 'a\n1\nNA\n', /"NA" is not a number[\s\S]*gaps are not filled/],
  ['a first line of numbers', '0.5,-1,2\n1,2,3', /holds numbers, not the names.*header: false/s],
])('refuses %s', (_, text, message, options = {}) => {
  expect(() => read(text, options)).toThrow(message);
  expect(() => read(text, options)).toThrow(expect.objectContaining({ code: 'INVALID_DATA' }));
});

test.each([
  ['semicolons', 'a;b;"c,d"\n1;2;3', { a: [1], b: [2], 'c,d': [3] }],
  ['tabs', '\na\tb\n1\t2', { a: [1], b: [2] }],
  ['bars', 'a|b\n1|2', { a: [1], b: [2] }],
  ['commas, and others in quotes', '"a;;",b\n1,2', { 'a;;': [1], b: [2] }],
  ['one column', 'a\n1', { a: [1] }],
  ['row numbers without a name', ',a\n0,1\n1,2', { a: [1, 2] }],
  ['whole numbers for names', '0,1\n0.5,2', { 0: [0.5], 1: [2] }],
  [
    'wavelengths for names',
    '400.5,401,402.5,y\n1,2,3,4',
    { '400.5': [1], 401: [2], '402.5': [3], y: [4] },
  ],
  ['rising numbers for names', '400.5,401,402.5\n1,2,3', { '400.5': [1], 401: [2], '402.5': [3] }],
])('reads %s as they are', (_, text, expected) => {
  expect(values(text)).toEqual(expected);
});

test('a header that is known to be one may hold any numbers', () => {
  expect(values('0.5,-1\n1,2', { header: true })).toEqual({ '0.5': [1], '-1': [2] });
});

test.each([
  ['little', false],
  ['big', true],
])('UTF-16 of %s end, as spreadsheets write it', (_, bigEndian) => {
  const units = Uint16Array.from('\ufeffä\tb\r\n1\t2\r\n', (sign) => sign.charCodeAt(0));
  const view = new DataView(new ArrayBuffer(units.byteLength));
  for (const [i, unit] of units.entries()) view.setUint16(2 * i, unit, !bigEndian);
  const dataset = decodeDataset({ name: 'x.csv', bytes: new Uint8Array(view.buffer) });
  expect([...dataset.columns.keys()]).toEqual(['ä', 'b']);
  expect(dataset.length).toBe(1);
});

test('names that are no UTF-8 are read as Windows-1252, and stay different', () => {
  const bytes = Uint8Array.from('x,kind\n1,f\u00fcr\n2,f\u00f6r\n3,f\u00fcr', (sign) =>
    sign.charCodeAt(0),
  );
  const { columns, classes } = decodeDataset(
    { name: 'x.csv', bytes },
    { classes: { kind: 'found' } },
  );
  expect(classes?.get('kind')).toEqual(['för', 'für']);
  expect(columns.get('kind')?.data).toEqual(Float64Array.of(1, 0, 1));
});

test('a sign of UTF-8 that a piece cuts in two is none the less one', () => {
  const text = `${'x'.repeat(2 ** 16 - 1)}ü,y\n1,2\n`;
  expect([...read(text).columns.keys()][0]).toHaveLength(2 ** 16);
});

test('columns of text are left out, unless somebody wants them', () => {
  const text = 'id,x,note\nq1,1,good\nq2,2,7\n';
  const { columns, ignored } = read(text);
  expect([...columns.keys()]).toEqual(['x']);
  expect(ignored?.get('note')).toBe('text, such as "good" in line 2');
  expect(() => read(text, { columns: ['note'] })).toThrow(/"good" is not a number/);
});

test('a name that is missing is asked for as a name', () => {
  expect(() =>
    decodeDataset(
      { name: 'x.csv', bytes: new TextEncoder().encode('x,kind\n1,pear\n2,\n') },
      { classes: { kind: 'found' } },
    ),
  ).toThrow('Put a name there, or leave the line out');
});

test('names of classes become their places in the alphabet', () => {
  const text = 'x,kind\n1,pear\n2,apple\n3,pear\n4,fig\n';
  const { columns, classes } = read(text, { classes: { kind: 'found' } });
  expect([...(columns.get('kind')?.data ?? [])]).toEqual([2, 0, 2, 1]);
  expect(classes?.get('kind')).toEqual(['apple', 'fig', 'pear']);
});

test('names of classes become the numbers that they were given', () => {
  const kind = ['pear', 'apple', 'fig'];
  const { columns, classes } = read('x,kind\n1,apple\n2,pear\n', { classes: { kind } });
  expect([...(columns.get('kind')?.data ?? [])]).toEqual([1, 0]);
  expect(classes?.get('kind')).toEqual(kind);
  expect(() => read('kind\naple\n', { classes: { kind } })).toThrow(
    /"aple" is not one of the classes \(x\.csv, line 2, column "kind"\)\n.*apple/,
  );
});

test('a column of numbers stays one where names of classes are allowed', () => {
  const { columns, classes } = read('kind\n3\n1\n', { classes: { kind: 'found' } });
  expect([...(columns.get('kind')?.data ?? [])]).toEqual([3, 1]);
  expect(classes).toBeUndefined();
});

test('a line number counts lines of the file, not records', () => {
  expect(() => read('a,b\n\n"1\n",2\n3,x\n')).toThrow(/line 5, column "b"/);
});

test('an empty delimiter is refused', () => {
  expect(() => read('a\n1', { delimiter: '' })).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION' }),
  );
});

test('numbers take memory from the budget', () => {
  expect(() => read(`a\n${'1\n'.repeat(1000)}`, { maxBytes: 4000 })).toThrow(
    expect.objectContaining({ code: 'OUT_OF_MEMORY' }),
  );
});
