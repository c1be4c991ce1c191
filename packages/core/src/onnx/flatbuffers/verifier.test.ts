import { Builder } from 'flatbuffers';
import { expect, test } from 'vitest';
import { field, type TableSchema } from './schema.js';
import { verifyFlatBuffer } from './verifier.js';

const leaf: TableSchema = { data: field.vector(1) };
const root: TableSchema = { leaves: field.tables(leaf) };

function leaves(builder: Builder, offsets: readonly number[]): Uint8Array {
  builder.startVector(4, offsets.length, 4);
  for (const offset of offsets) builder.addOffset(offset);
  const vector = builder.endVector();
  builder.startObject(1);
  builder.addFieldOffset(0, vector, 0);
  builder.finish(builder.endObject());
  return builder.asUint8Array();
}

/** A root whose vector names tables that share one and the same vector of bytes. */
function shared(count: number, bytes: number): Uint8Array {
  const builder = new Builder(1024);
  const data = builder.createByteVector(new Uint8Array(bytes));
  const offsets = Array.from({ length: count }, () => {
    builder.startObject(1);
    builder.addFieldOffset(0, data, 0);
    return builder.endObject();
  });
  return leaves(builder, offsets);
}

test('a sound buffer has no defect', () => {
  expect(verifyFlatBuffer(shared(3, 100), root)).toBeUndefined();
});

test('a small file that stands for a huge one is refused', () => {
  expect(verifyFlatBuffer(shared(1000, 10_000), root)?.problem).toBe(
    'repeats more data than the file holds',
  );
});

test('one table in two places is refused, as it could multiply without end', () => {
  const builder = new Builder(64);
  builder.startObject(1);
  const table = builder.endObject();
  expect(verifyFlatBuffer(leaves(builder, [table, table]), root)?.problem).toBe(
    'is the same table as another',
  );
});

const chain: TableSchema = {
  get next() {
    return field.table(chain);
  },
};

function chained(count: number): Uint8Array {
  const builder = new Builder(64);
  let last = 0;
  for (let i = 0; i < count; i++) {
    builder.startObject(1);
    if (last !== 0) builder.addFieldOffset(0, last, 0);
    last = builder.endObject();
  }
  builder.finish(last);
  return builder.asUint8Array();
}

test('tables that nest without end are refused', () => {
  expect(verifyFlatBuffer(chained(60), chain)).toBeUndefined();
  expect(verifyFlatBuffer(chained(100_000), chain)?.problem).toBe('is nested too deeply');
});

test.each([
  [0, undefined],
  [1, undefined],
  [2, 'is of the unknown kind 2'],
])('a union of the kind %i', (tag, problem) => {
  const builder = new Builder(64);
  builder.startObject(1);
  const inner = builder.endObject();
  builder.startObject(2);
  builder.addFieldInt8(0, tag, 0);
  builder.addFieldOffset(1, inner, 0);
  builder.finish(builder.endObject());
  const schema: TableSchema = { value_type: field.uint8, value: field.union(leaf) };
  expect(verifyFlatBuffer(builder.asUint8Array(), schema)?.problem).toBe(problem);
});

test('a name that is used more often than any file could is refused', () => {
  const builder = new Builder(1024);
  const text = builder.createString('x'.repeat(10_000));
  builder.startVector(4, 1000, 4);
  for (let i = 0; i < 1000; i++) builder.addOffset(text);
  const names = builder.endVector();
  builder.startObject(1);
  builder.addFieldOffset(0, names, 0);
  builder.finish(builder.endObject());
  expect(verifyFlatBuffer(builder.asUint8Array(), { names: field.strings })?.problem).toBe(
    'repeats more text than the file holds',
  );
});

test.each<[string, (view: DataView, table: number, vtable: number) => void, string]>([
  ['a root outside', (view) => view.setUint32(0, 1 << 20, true), 'points outside the file'],
  ['a root at itself', (view) => view.setUint32(0, 0, true), 'points at itself'],
  ['a vtable outside', (view, table) => view.setInt32(table, -(1 << 20), true), 'outside the file'],
  ['an odd vtable', (view, _, vtable) => view.setUint16(vtable, 5, true), 'malformed vtable'],
  ['a long vtable', (view, _, vtable) => view.setUint16(vtable, 0xfffe, true), 'outside the file'],
  [
    'a long table',
    (view, _, vtable) => view.setUint16(vtable + 2, 0xffff, true),
    'outside the file',
  ],
  [
    'a field outside',
    (view, _, vtable) => view.setUint16(vtable + 4, 0x100, true),
    'outside its table',
  ],
  [
    'a field on the vtable',
    (view, _, vtable) => view.setUint16(vtable + 4, 2, true),
    'outside its table',
  ],
])('%s is a defect', (_, damage, problem) => {
  const bytes = shared(2, 8).slice();
  const view = new DataView(bytes.buffer);
  const table = view.getUint32(0, true);
  damage(view, table, table - view.getInt32(table, true));
  expect(verifyFlatBuffer(bytes, root)?.problem).toContain(problem);
});

test('a vector longer than the file is a defect, named by its path', () => {
  const bytes = shared(2, 8).slice();
  const view = new DataView(bytes.buffer);
  // The bytes of the leaf lie at the end of the file, behind their length.
  const length = bytes.lastIndexOf(8);
  view.setUint32(length, 0xffffffff, true);
  expect(verifyFlatBuffer(bytes, root)).toMatchObject({
    path: 'leaves[0].data',
    problem: 'points outside the file',
    byte: length + 4,
  });
});
