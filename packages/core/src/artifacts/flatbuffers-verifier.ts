/** Checks that a FlatBuffer can be read safely, before anything is read. The npm package has no verifier. */

/** What a field of a table holds; scalars and elements of vectors by their size in bytes. */
export type FieldSchema =
  | { readonly kind: 'scalar'; readonly size: 1 | 2 | 4 | 8 }
  | { readonly kind: 'string' }
  | { readonly kind: 'strings' }
  | { readonly kind: 'vector'; readonly size: 1 | 2 | 4 | 8 }
  | { readonly kind: 'table'; readonly table: TableSchema }
  | { readonly kind: 'tables'; readonly table: TableSchema };

/** The fields of a table by name, in the order of their slots. */
export type TableSchema = Readonly<Record<string, FieldSchema>>;

/** The first thing wrong with a buffer. */
export interface Defect {
  readonly problem: string;
  /** The field, as `module_state.frozen_params[2].dims`. */
  readonly path: string;
  readonly byte: number;
}

/** Tables may be shared, so a small buffer can stand for a huge tree. */
const maxTables = 1_000_000;

/** How far the bytes of all vectors and strings together may exceed the file, as shared ones are counted each time. */
const maxSharing = 4;

class DefectFound {
  constructor(readonly defect: Defect) {}
}

/** Checks every offset, vtable, vector and string that a reader with this schema may follow. */
export function verifyFlatBuffer(bytes: Uint8Array, root: TableSchema): Defect | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = bytes.byteLength;
  let tables = 0;
  let apparent = 0;

  const fail = (problem: string, path: string, byte: number): never => {
    throw new DefectFound({ problem, path, byte });
  };
  const require = (at: number, length: number, path: string): void => {
    if (at < 0 || at + length > size) fail('points outside the file', path, at);
  };
  const follow = (at: number, path: string): number => {
    require(at, 4, path);
    const target = at + view.getUint32(at, true);
    if (target === at) fail('points at itself', path, at);
    require(target, 4, path);
    return target;
  };
  const verifyVector = (at: number, elementSize: number, path: string): number => {
    const length = view.getUint32(at, true);
    require(at + 4, length * elementSize, path);
    apparent += length * elementSize;
    if (apparent > size * maxSharing) fail('repeats more data than the file holds', path, at);
    return length;
  };
  const verifyElements = (at: number, path: string, each: (at: number, path: string) => void) => {
    const length = verifyVector(at, 4, path);
    for (let i = 0; i < length; i++) {
      const place = `${path}[${i}]`;
      each(follow(at + 4 + 4 * i, place), place);
    }
  };
  const verifyField = (at: number, field: FieldSchema, path: string): void => {
    if (field.kind === 'scalar') return;
    const target = follow(at, path);
    switch (field.kind) {
      case 'string':
        verifyVector(target, 1, path);
        return;
      case 'vector':
        verifyVector(target, field.size, path);
        return;
      case 'strings':
        verifyElements(target, path, (element, place) => verifyVector(element, 1, place));
        return;
      case 'table':
        verifyTable(target, field.table, path);
        return;
      case 'tables':
        verifyElements(target, path, (element, place) => verifyTable(element, field.table, place));
        return;
    }
  };
  const verifyTable = (at: number, schema: TableSchema, path: string): void => {
    if (++tables > maxTables) fail('has more tables than any checkpoint', path, at);
    const vtable = at - view.getInt32(at, true);
    require(vtable, 4, path);
    const vtableSize = view.getUint16(vtable, true);
    const tableSize = view.getUint16(vtable + 2, true);
    if (vtableSize < 4 || vtableSize % 2 === 1 || tableSize < 4) {
      fail('has a malformed vtable', path, vtable);
    }
    require(vtable, vtableSize, path);
    require(at, tableSize, path);
    Object.entries(schema).forEach(([name, field], index) => {
      const slot = 4 + 2 * index;
      const offset = slot < vtableSize ? view.getUint16(vtable + slot, true) : 0;
      if (offset === 0) return;
      const place = path === '' ? name : `${path}.${name}`;
      const width = field.kind === 'scalar' ? field.size : 4;
      if (offset < 4 || offset + width > tableSize) fail('lies outside its table', place, vtable);
      verifyField(at + offset, field, place);
    });
  };

  try {
    require(0, 8, '');
    verifyTable(follow(0, ''), root, '');
    return undefined;
  } catch (error) {
    if (error instanceof DefectFound) return error.defect;
    throw error;
  }
}
