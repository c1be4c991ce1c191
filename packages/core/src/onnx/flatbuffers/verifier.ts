/** Checks that a FlatBuffer can be read safely, before anything is read. The npm package has no verifier. */
import type { FieldSchema, TableSchema } from './schema.js';

/** The first thing wrong with a buffer. */
export interface Defect {
  readonly problem: string;
  /** The field, as `module_state.frozen_params[2].dims`. */
  readonly path: string;
  readonly byte: number;
}

/** As FlatBuffers' own verifier; a reader that calls itself must not overflow the stack. */
const maxDepth = 64;

/** How far the bytes of all vectors together may exceed the file, as shared ones are counted each time. */
const maxSharing = 4;

/** The same for strings: writers keep a name once, however often it is used. */
const maxSharingOfStrings = 32;

class DefectFound {
  constructor(readonly defect: Defect) {}
}

/** Checks every offset, vtable, vector and string that a reader with this schema may follow. No table may be reached
 *  twice (no writer shares them), so the time is linear in the size of the file. */
export function verifyFlatBuffer(bytes: Uint8Array, root: TableSchema): Defect | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = bytes.byteLength;
  const tables = new Set<number>();
  const apparent = { vectors: 0, strings: 0 };

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
    apparent.vectors += length * elementSize;
    if (apparent.vectors > size * maxSharing) {
      fail('repeats more data than the file holds', path, at);
    }
    return length;
  };
  const verifyString = (at: number, path: string): void => {
    const length = view.getUint32(at, true);
    require(at + 4, length, path);
    apparent.strings += length;
    if (apparent.strings > size * maxSharingOfStrings) {
      fail('repeats more text than the file holds', path, at);
    }
  };
  const verifyElements = (at: number, path: string, each: (at: number, path: string) => void) => {
    const length = verifyVector(at, 4, path);
    for (let i = 0; i < length; i++) {
      const place = `${path}[${i}]`;
      each(follow(at + 4 + 4 * i, place), place);
    }
  };
  const verifyField = (
    at: number,
    field: FieldSchema,
    path: string,
    depth: number,
    tag: number,
  ): void => {
    if (field.kind === 'scalar' || field.kind === 'unread') return;
    if (field.kind === 'union' && tag === 0) return;
    const target = follow(at, path);
    switch (field.kind) {
      case 'string':
        verifyString(target, path);
        return;
      case 'vector':
        verifyVector(target, field.size, path);
        return;
      case 'strings':
        verifyElements(target, path, verifyString);
        return;
      case 'table':
        verifyTable(target, field.table, path, depth + 1);
        return;
      case 'tables':
        verifyElements(target, path, (element, place) =>
          verifyTable(element, field.table, place, depth + 1),
        );
        return;
      case 'union': {
        const chosen = field.tables[tag - 1];
        if (chosen === undefined) fail(`is of the unknown kind ${tag}`, path, at);
        else verifyTable(target, chosen, path, depth + 1);
        return;
      }
    }
  };
  const verifyTable = (at: number, schema: TableSchema, path: string, depth: number): void => {
    if (depth > maxDepth) fail('is nested too deeply', path, at);
    if (tables.has(at)) fail('is the same table as another', path, at);
    tables.add(at);
    const vtable = at - view.getInt32(at, true);
    require(vtable, 4, path);
    const vtableSize = view.getUint16(vtable, true);
    const tableSize = view.getUint16(vtable + 2, true);
    if (vtableSize < 4 || vtableSize % 2 === 1 || tableSize < 4) {
      fail('has a malformed vtable', path, vtable);
    }
    require(vtable, vtableSize, path);
    require(at, tableSize, path);
    let tag = 0;
    Object.entries(schema).forEach(([name, field], index) => {
      const slot = 4 + 2 * index;
      const offset = slot < vtableSize ? view.getUint16(vtable + slot, true) : 0;
      const place = path === '' ? name : `${path}.${name}`;
      const width = field.kind === 'scalar' ? field.size : field.kind === 'unread' ? 1 : 4;
      if (offset !== 0) {
        if (offset < 4 || offset + width > tableSize) {
          fail('lies outside its table', place, vtable);
        }
        verifyField(at + offset, field, place, depth, tag);
      }
      tag = offset !== 0 && field.kind === 'scalar' ? view.getUint8(at + offset) : 0;
    });
  };

  try {
    require(0, 8, '');
    verifyTable(follow(0, ''), root, '', 0);
    return undefined;
  } catch (error) {
    if (error instanceof DefectFound) return error.defect;
    throw error;
  }
}
