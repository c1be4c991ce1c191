import { Builder } from 'flatbuffers';
import { expect, test } from 'vitest';
import { type TableSchema, verifyFlatBuffer } from './flatbuffers-verifier.js';

const leaf: TableSchema = { data: { kind: 'vector', size: 1 } };
const root: TableSchema = { leaves: { kind: 'tables', table: leaf } };

/** A root whose vector names one and the same table many times. */
function shared(count: number, bytes: number): Uint8Array {
  const builder = new Builder(1024);
  const data = builder.createByteVector(new Uint8Array(bytes));
  builder.startObject(1);
  builder.addFieldOffset(0, data, 0);
  const table = builder.endObject();
  builder.startVector(4, count, 4);
  for (let i = 0; i < count; i++) builder.addOffset(table);
  const leaves = builder.endVector();
  builder.startObject(1);
  builder.addFieldOffset(0, leaves, 0);
  builder.finish(builder.endObject());
  return builder.asUint8Array();
}

test('a sound buffer has no defect', () => {
  expect(verifyFlatBuffer(shared(3, 100), root)).toBeUndefined();
});

test('a small file that stands for a huge one is refused', () => {
  expect(verifyFlatBuffer(shared(1000, 10_000), root)?.problem).toBe(
    'repeats more data than the file holds',
  );
});

test('more tables than any checkpoint are refused', () => {
  expect(verifyFlatBuffer(shared(1_000_001, 0), root)?.problem).toContain('more tables');
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
