import { ByteBuffer } from 'flatbuffers';
import { type ErrorCode, GradwareError } from '../../errors.js';
import type { TableSchema } from './schema.js';
import { verifyFlatBuffer } from './verifier.js';

/** Access to the fields of a verified FlatBuffers table by name; absent fields are undefined. */
export interface Table {
  int32(name: string): number | undefined;
  int64(name: string): bigint | undefined;
  float32(name: string): number | undefined;
  uint8(name: string): number | undefined;
  bool(name: string): boolean;
  string(name: string): string | undefined;
  strings(name: string): readonly string[];
  /** A view of the bytes of a vector of bytes. */
  bytes(name: string): Uint8Array;
  int64s(name: string): readonly bigint[];
  float32s(name: string): readonly number[];
  table(name: string): Table | undefined;
  /** The table of a union whose tag, in the slot before, is this one. */
  variant(name: string, tag: number): Table | undefined;
  tables(name: string): readonly Table[];
}

/** What a file with a FlatBuffer is called in messages. */
interface Title {
  readonly code: ErrorCode;
  /** As "checkpoint". */
  readonly title: string;
  readonly file: string;
}

/** The root table of a file, every part of which has been checked.
 *  @throws GradwareError with the code given, naming the field and the byte */
export function readFlatBuffer(
  bytes: Uint8Array,
  schema: TableSchema,
  { code, title, file }: Title,
): Table {
  const defect = verifyFlatBuffer(bytes, schema);
  if (defect !== undefined) {
    const field = defect.path === '' ? `The root of the ${title}` : `Its field ${defect.path}`;
    throw new GradwareError(code, `The ${title} is damaged: ${field} ${defect.problem}`, {
      where: `${file}, byte ${defect.byte} of ${bytes.byteLength}`,
      remedy: 'Check that the file was copied or downloaded completely.',
    });
  }
  // A plain view: the vectors of a Node Buffer would be Buffers too.
  const buffer = new ByteBuffer(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return readTable(buffer, buffer.readInt32(0), schema);
}

/** Whether bytes carry a file identifier of FlatBuffers, four characters. */
export function hasIdentifier(bytes: Uint8Array, identifier: string): boolean {
  return (
    bytes.byteLength >= 8 &&
    Array.from(identifier).every((char, i) => bytes[4 + i] === char.charCodeAt(0))
  );
}

function readTable(buffer: ByteBuffer, position: number, schema: TableSchema): Table {
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
  const variants = (name: string): readonly TableSchema[] => {
    const field = schema[name];
    return field?.kind === 'union' ? field.tables : [];
  };
  const text = (place: number): string => String(buffer.__string(place));
  const child = (name: string) => (place: number) =>
    readTable(buffer, buffer.__indirect(place), nested(name));
  return {
    int32: (name) => read(name, (place) => buffer.readInt32(place)),
    int64: (name) => read(name, (place) => buffer.readInt64(place)),
    float32: (name) => read(name, (place) => buffer.readFloat32(place)),
    uint8: (name) => read(name, (place) => buffer.readUint8(place)),
    bool: (name) => read(name, (place) => buffer.readInt8(place) !== 0) ?? false,
    string: (name) => read(name, text),
    strings: (name) => each(name, 4, text),
    bytes: (name) =>
      read(name, (place) => {
        const start = buffer.__vector(place);
        return buffer.bytes().subarray(start, start + buffer.__vector_len(place));
      }) ?? new Uint8Array(),
    int64s: (name) => each(name, 8, (place) => buffer.readInt64(place)),
    float32s: (name) => each(name, 4, (place) => buffer.readFloat32(place)),
    table: (name) => read(name, child(name)),
    variant: (name, tag) => {
      const chosen = variants(name)[tag - 1];
      return chosen && read(name, (place) => readTable(buffer, buffer.__indirect(place), chosen));
    },
    tables: (name) => each(name, 4, child(name)),
  };
}
