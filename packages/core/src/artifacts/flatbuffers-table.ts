import type { ByteBuffer } from 'flatbuffers';
import type { TableSchema } from './flatbuffers-verifier.js';

/** Access to the fields of a verified FlatBuffers table by name; absent fields are undefined. */
export interface Table {
  int32(name: string): number | undefined;
  int64(name: string): bigint | undefined;
  float32(name: string): number | undefined;
  bool(name: string): boolean;
  string(name: string): string | undefined;
  strings(name: string): readonly string[];
  /** A view of the bytes of a vector of bytes. */
  bytes(name: string): Uint8Array;
  int64s(name: string): readonly bigint[];
  table(name: string): Table | undefined;
  tables(name: string): readonly Table[];
}

/** The table at a position of a buffer that `verifyFlatBuffer` accepted with the same schema. */
export function readTable(buffer: ByteBuffer, position: number, schema: TableSchema): Table {
  const slots = new Map(Object.keys(schema).map((name, index) => [name, 4 + 2 * index]));
  const at = (name: string): number | undefined => {
    const offset = buffer.__offset(position, slots.get(name) ?? 0);
    return offset === 0 ? undefined : position + offset;
  };
  const read = <T>(name: string, reader: (at: number) => T): T | undefined => {
    const place = at(name);
    return place === undefined ? undefined : reader(place);
  };
  const each = <T>(name: string, width: number, reader: (at: number) => T): readonly T[] =>
    read(name, (place) => {
      const start = buffer.__vector(place);
      return Array.from({ length: buffer.__vector_len(place) }, (_, i) =>
        reader(start + i * width),
      );
    }) ?? [];
  const nested = (name: string): TableSchema => {
    const field = schema[name];
    return field?.kind === 'table' || field?.kind === 'tables' ? field.table : {};
  };
  const text = (place: number): string => String(buffer.__string(place));
  const child = (name: string) => (place: number) =>
    readTable(buffer, buffer.__indirect(place), nested(name));
  return {
    int32: (name) => read(name, (place) => buffer.readInt32(place)),
    int64: (name) => read(name, (place) => buffer.readInt64(place)),
    float32: (name) => read(name, (place) => buffer.readFloat32(place)),
    bool: (name) => read(name, (place) => buffer.readInt8(place) !== 0) ?? false,
    string: (name) => read(name, text),
    strings: (name) => each(name, 4, text),
    bytes: (name) =>
      read(name, (place) => {
        const start = buffer.__vector(place);
        return buffer.bytes().subarray(start, start + buffer.__vector_len(place));
      }) ?? new Uint8Array(),
    int64s: (name) => each(name, 8, (place) => buffer.readInt64(place)),
    table: (name) => read(name, child(name)),
    tables: (name) => each(name, 4, child(name)),
  };
}
