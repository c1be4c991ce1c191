import { GradwareError } from '../errors.js';
import { byteLength, elementTypes } from '../onnx/element-types.js';
import type { DataType, TensorData } from '../onnx/ir.js';
import { joinChunks } from '../onnx/packed.js';
import { tensorBytes, tensorFromBytes } from '../onnx/tensor.js';
import { repeatedKey } from './json-keys.js';
import { saveAgain } from './remedies.js';

/** The content of a file in the safetensors format. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, TensorData>;
  readonly metadata: Readonly<Record<string, string>>;
}

const dtypes = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  F8_E4M3: 'float8e4m3fn',
  F8_E5M2: 'float8e5m2',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U64: 'uint64',
  U32: 'uint32',
  U16: 'uint16',
  U8: 'uint8',
  BOOL: 'bool',
} as const satisfies Readonly<Record<string, DataType>>;

const types: ReadonlyMap<string, DataType> = new Map(Object.entries(dtypes));
const names: ReadonlyMap<DataType, string> = new Map(
  Object.entries(dtypes).map(([name, type]) => [type, name]),
);

/** The limit that the format's reference implementation sets. */
const maxHeaderBytes = 100_000_000;

const metadataKey = '__metadata__';

/** Whether bytes begin as a safetensors file does. */
export function isSafetensors(bytes: Uint8Array): boolean {
  return bytes.byteLength >= 10 && bytes[8] === 0x7b && headerLength(bytes) <= bytes.byteLength - 8;
}

function headerLength(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
}

function invalid(problem: string, where: string, cause?: unknown): never {
  throw new GradwareError('INVALID_CHECKPOINT', problem, { where, remedy: saveAgain, cause });
}

/** Reads a safetensors file. Values stay in `bytes` where they lie aligned.
 *  @throws GradwareError INVALID_CHECKPOINT for a header that is malformed, repeats a key or does not describe each
 *  byte of the file exactly once, and for values that do not fit their shape. */
export function decodeSafetensors(bytes: Uint8Array, file = 'the file'): Safetensors {
  if (bytes.byteLength < 8) invalid('A safetensors file has at least 8 bytes', file);
  const length = headerLength(bytes);
  if (length > Math.min(maxHeaderBytes, bytes.byteLength - 8)) {
    throw new GradwareError(
      'INVALID_CHECKPOINT',
      `The header of a safetensors file should have ${length} bytes, of ${bytes.byteLength - 8}`,
      { where: file, remedy: 'Check that the file was copied or downloaded completely.' },
    );
  }
  const header = parseHeader(bytes.subarray(8, 8 + length), file);
  const values = new Uint8Array(
    bytes.buffer,
    bytes.byteOffset + 8 + length,
    bytes.byteLength - 8 - length,
  );
  const { [metadataKey]: metadata = {}, ...described } = header;
  const entries = Object.entries(described).map(([name, entry]) =>
    parseEntry(name, entry, `${file}, tensor "${name}"`),
  );
  requireCoverage(entries, values.byteLength, file);
  const tensors = new Map<string, TensorData>();
  for (const { name, type, shape, begin, end, where } of entries) {
    const place = { code: 'INVALID_CHECKPOINT', where } as const;
    tensors.set(name, tensorFromBytes(type, shape, values.subarray(begin, end), place));
  }
  return { tensors, metadata: parseMetadata(metadata, file) };
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parseHeader(bytes: Uint8Array, file: string): Readonly<Record<string, unknown>> {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const header: unknown = JSON.parse(text);
    if (!text.startsWith('{') || !isObject(header)) return invalid('The header is no object', file);
    const repeated = repeatedKey(text);
    if (repeated !== undefined) invalid(`The header has "${repeated}" twice`, file);
    return header;
  } catch (cause) {
    if (cause instanceof GradwareError) throw cause;
    return invalid('The header of a safetensors file is not JSON', `${file}, byte 8`, cause);
  }
}

interface Entry {
  readonly name: string;
  readonly type: DataType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
  readonly where: string;
}

const isSize = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

function parseEntry(name: string, entry: unknown, where: string): Entry {
  if (!isObject(entry)) return invalid('A tensor is not described', where);
  const { dtype, shape, data_offsets: offsets } = entry;
  const type = typeof dtype === 'string' ? types.get(dtype) : undefined;
  if (type === undefined) {
    return invalid(`A tensor has the unknown type ${JSON.stringify(dtype)}`, where);
  }
  if (!Array.isArray(shape) || !shape.every(isSize)) {
    return invalid(`A tensor has the shape ${JSON.stringify(shape)}`, where);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    return invalid(`A tensor has the data_offsets ${JSON.stringify(offsets)}`, where);
  }
  const [begin = 0, end = 0] = offsets.filter(isSize);
  const expected = byteLength(type, shape, { code: 'INVALID_CHECKPOINT', where });
  if (end - begin !== expected) {
    invalid(
      `A ${type} tensor of shape [${shape.join(', ')}] needs ${expected} bytes, not ${end - begin}`,
      where,
    );
  }
  return { name, type, shape, begin, end, where };
}

/** The format wants the tensors to fill the file without gaps or overlaps. */
function requireCoverage(entries: readonly Entry[], size: number, file: string): void {
  const sorted = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const { begin, end, where } of sorted) {
    if (end > size) {
      invalid(`The values of a tensor end at byte ${end} of the ${size} that there are`, where);
    }
    if (begin !== at) {
      const problem = begin < at ? 'overlap those of another' : `leave a gap at byte ${at}`;
      invalid(`The values of a tensor ${problem}`, where);
    }
    at = end;
  }
  if (at !== size) invalid(`${size - at} bytes at the end belong to no tensor`, file);
}

function parseMetadata(value: unknown, file: string): Readonly<Record<string, string>> {
  if (!isObject(value)) return invalid('The metadata are no object', file);
  const entries = Object.entries(value).map(([key, text]): [string, string] =>
    typeof text === 'string' ? [key, text] : invalid(`The metadata "${key}" is no string`, file),
  );
  return Object.fromEntries(entries);
}

/** The bytes of a safetensors file; values are copied once and lie aligned.
 *  @throws GradwareError UNSUPPORTED for strings and other types that the format lacks. */
export function encodeSafetensors({ tensors, metadata }: Safetensors): Uint8Array {
  const sorted = [...tensors].sort(
    ([nameA, a], [nameB, b]) =>
      elementTypes[b.type].bits - elementTypes[a.type].bits || (nameA < nameB ? -1 : 1),
  );
  let end = 0;
  const described = sorted.map(([name, tensor]): [string, unknown] => {
    const dtype = names.get(tensor.type);
    if (dtype === undefined || name === metadataKey) {
      throw new GradwareError(
        'UNSUPPORTED',
        `The safetensors format has no ${tensor.type} tensors`,
        {
          where: `tensor "${name}"`,
          remedy:
            'Save it as a type that the format has: floats and integers of 8 to 64 bits, or bools.',
        },
      );
    }
    const begin = end;
    end += tensorBytes(tensor).byteLength;
    return [name, { dtype, shape: tensor.dims, data_offsets: [begin, end] }];
  });
  const header = new TextEncoder().encode(
    JSON.stringify(Object.fromEntries([[metadataKey, metadata], ...described])),
  );
  const padded = new Uint8Array(Math.ceil(header.byteLength / 8) * 8).fill(0x20);
  padded.set(header);
  const length = new Uint8Array(new BigUint64Array([BigInt(padded.byteLength)]).buffer);
  return joinChunks([length, padded, ...sorted.map(([, tensor]) => tensorBytes(tensor))]);
}
