import type { DataType } from '@gradware/core';
import { GradwareError } from '@gradware/core';
import {
  bytesOf,
  checkSize,
  elementBytes,
  elementsOf,
  type NdArray,
  toHostOrder,
  zeros,
} from './elements.js';

/** NumPy's type codes, without byte order. */
export const NPY_TYPES: Readonly<Record<string, DataType>> = {
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  u2: 'uint16',
  u4: 'uint32',
  u8: 'uint64',
  b1: 'bool',
};

const REFUSED: Readonly<Record<string, string>> = {
  O: 'Python objects (pickled: opening them would run code)',
  S: 'byte strings',
  U: 'text',
  c: 'complex numbers',
  M: 'dates',
  m: 'time spans',
  V: 'records',
};

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const MAX_RANK = 64;

/** Whether bytes begin as a .npy file does. */
export function isNpy(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, i) => bytes[i] === byte);
}

/** Reads a NumPy array file, format versions 1 to 3, of any byte order and memory order; shares the memory of `bytes`
 *  where it can. (npyjs knows neither big-endian data nor a length that lies.)
 *  @param where what to call the file in errors
 *  @throws GradwareError INVALID_DATA for a damaged file, UNSUPPORTED for an element type that no tensor can hold */
export function decodeNpy(bytes: Uint8Array, where = '.npy bytes'): NdArray {
  const { descr, shape, fortran, body } = readNpyHeader(bytes, where);
  const { type, littleEndian } = elementType(descr, where);
  checkSize(type, shape, body.length, where);

  const size = elementBytes(type);
  const native = toHostOrder(body, size, littleEndian);
  const data = elementsOf(type, fortran ? rowMajor(native, shape, size) : native);
  if (type === 'bool') checkBooleans(data as Uint8Array, where);
  return { type, shape, data };
}

export interface NpyHeader {
  /** NumPy's type with its byte order: '<f4'. */
  readonly descr: string;
  readonly shape: readonly number[];
  /** Whether the first axis runs fastest, and not the last. */
  readonly fortran: boolean;
  readonly body: Uint8Array;
}

/** @throws GradwareError INVALID_DATA */
export function readNpyHeader(bytes: Uint8Array, where: string): NpyHeader {
  if (!isNpy(bytes)) throw damaged('it does not begin as a .npy file does', where);
  const { header, body } = splitHeader(bytes, where);
  const records = /['"]descr['"]\s*:\s*\[/.test(header);
  const descr = records ? '|V' : field(header, `['"]([^'"]*)['"]`, 'descr', where);
  const shape = shapeOf(header, where);
  const order = field(header, '(True|False)', 'fortran_order', where);
  return { descr, shape, fortran: order === 'True' && shape.length > 1, body };
}

function splitHeader(bytes: Uint8Array, where: string): { header: string; body: Uint8Array } {
  const version = bytes[6];
  const start = version === 1 ? 10 : 12;
  if (version === undefined || version < 1 || version > 3)
    throw damaged(`format version ${version}`, where);
  if (bytes.length < start) throw damaged('no header', where);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = start + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (end > bytes.length)
    throw damaged(`a header of ${end} bytes in a file of ${bytes.length}`, where);
  return {
    header: new TextDecoder().decode(bytes.subarray(start, end)),
    body: bytes.subarray(end),
  };
}

function field(header: string, pattern: string, key: string, where: string): string {
  const value = new RegExp(`['"]${key}['"]\\s*:\\s*${pattern}`).exec(header)?.[1];
  if (value === undefined) throw damaged(`no readable ${key} in its header`, where);
  return value;
}

function elementType(descr: string, where: string): { type: DataType; littleEndian: boolean } {
  const order = descr.slice(0, 1);
  const code = descr.slice(1);
  const type = Object.hasOwn(NPY_TYPES, code) ? NPY_TYPES[code] : undefined;
  if ('<>|='.includes(order) && type !== undefined) return { type, littleEndian: order !== '>' };
  const kind = REFUSED[code.slice(0, 1)];
  throw new GradwareError(
    'UNSUPPORTED',
    `The array holds ${kind ?? `elements of type "${descr}"`}, not numbers`,
    {
      where,
      remedy: 'Convert it before saving, for example with .astype("float32").',
    },
  );
}

function shapeOf(header: string, where: string): number[] {
  const dims = field(header, '\\(([^()]*)\\)', 'shape', where)
    .split(',')
    .map((dim) => dim.trim())
    .filter((dim) => dim !== '');
  // Python 2 wrote 3L.
  const shape = dims.map((dim) => (/^\d+L?$/.test(dim) ? Number.parseInt(dim, 10) : Number.NaN));
  if (shape.length > MAX_RANK || !shape.every(Number.isSafeInteger))
    throw damaged(`shape (${dims.join(', ')})`, where);
  return shape;
}

/** From first-axis-fastest to last-axis-fastest order. */
function rowMajor(bytes: Uint8Array, shape: readonly number[], size: number): Uint8Array {
  const word = size === 1 ? 'uint8' : size === 2 ? 'uint16' : 'uint32';
  const words = size / elementBytes(word);
  const from = elementsOf(word, bytes);
  const to = zeros(word, from.length);

  const strides = shape.map((_, axis) =>
    shape.slice(0, axis).reduce((product, dim) => product * dim, words),
  );
  const index = shape.map(() => 0);
  let source = 0;
  for (let target = 0; target < to.length; target += words) {
    for (let i = 0; i < words; i++) to[target + i] = from[source + i]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = index[axis]! + 1;
      source += strides[axis]!;
      index[axis] = next;
      if (next < shape[axis]!) break;
      source -= strides[axis]! * next;
      index[axis] = 0;
    }
  }
  return bytesOf(to);
}

function checkBooleans(data: Uint8Array, where: string): void {
  const wrong = data.findIndex((byte) => byte > 1);
  if (wrong >= 0) throw damaged(`element ${wrong} of a bool array is ${data[wrong]}`, where);
}

function damaged(what: string, where: string): GradwareError {
  return new GradwareError('INVALID_DATA', `Not a readable .npy file: ${what}`, {
    where,
    remedy: 'The file is cut off, damaged or of another format: write it again with numpy.save.',
  });
}
