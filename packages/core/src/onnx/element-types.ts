import { type ErrorCode, GradwareError } from '../errors.js';
import type { DataType, FloatType, TypedArray, ValueInfo } from './ir.js';
import { exportAgain } from './remedies.js';

/** A constructor of the typed arrays that hold tensor values. */
export type TypedArrayConstructor = {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): TypedArray;
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): TypedArray;
};

/** The field of ONNX's TensorProto that holds values of a type when raw_data does not. */
export type ValueField =
  | 'floatData'
  | 'int32Data'
  | 'int64Data'
  | 'doubleData'
  | 'uint64Data'
  | 'stringData';

export interface ElementType {
  /** TensorProto.DataType in the ONNX file format (and in ORT's checkpoints). */
  readonly code: number;
  /** Bits of one value; 0 for strings. */
  readonly bits: number;
  /** The array that holds the values; undefined for strings. */
  readonly array: TypedArrayConstructor | undefined;
  readonly field: ValueField;
}

const row = (
  code: number,
  bits: number,
  field: ValueField,
  array?: TypedArrayConstructor,
): ElementType => ({ code, bits, array, field });

/** What the ONNX specification says of each element type, and the array we hold it in. */
export const elementTypes: Readonly<Record<DataType, ElementType>> = {
  float32: row(1, 32, 'floatData', Float32Array),
  uint8: row(2, 8, 'int32Data', Uint8Array),
  int8: row(3, 8, 'int32Data', Int8Array),
  uint16: row(4, 16, 'int32Data', Uint16Array),
  int16: row(5, 16, 'int32Data', Int16Array),
  int32: row(6, 32, 'int32Data', Int32Array),
  int64: row(7, 64, 'int64Data', BigInt64Array),
  string: row(8, 0, 'stringData'),
  bool: row(9, 8, 'int32Data', Uint8Array),
  float16: row(10, 16, 'int32Data', Uint16Array),
  float64: row(11, 64, 'doubleData', Float64Array),
  uint32: row(12, 32, 'uint64Data', Uint32Array),
  uint64: row(13, 64, 'uint64Data', BigUint64Array),
  complex64: row(14, 64, 'floatData', Uint8Array),
  complex128: row(15, 128, 'doubleData', Uint8Array),
  bfloat16: row(16, 16, 'int32Data', Uint16Array),
  float8e4m3fn: row(17, 8, 'int32Data', Uint8Array),
  float8e4m3fnuz: row(18, 8, 'int32Data', Uint8Array),
  float8e5m2: row(19, 8, 'int32Data', Uint8Array),
  float8e5m2fnuz: row(20, 8, 'int32Data', Uint8Array),
  uint4: row(21, 4, 'int32Data', Uint8Array),
  int4: row(22, 4, 'int32Data', Uint8Array),
};

/** The element type of a tensor; undefined of what is none, and where the model does not say. */
export function tensorElement(info: Pick<ValueInfo, 'type'> | undefined): DataType | undefined {
  const type = info?.type;
  return type !== undefined && Object.hasOwn(elementTypes, type) ? (type as DataType) : undefined;
}

const floatTypes: ReadonlySet<string> = new Set<FloatType>([
  ...(['float32', 'float16', 'bfloat16', 'float64'] as const),
]);

/** Whether a type is one of the floating-point types that convert into each other. */
export function isFloatType(type: string): type is FloatType {
  return floatTypes.has(type);
}

const typesByCode: ReadonlyMap<number, DataType> = new Map(
  (Object.keys(elementTypes) as DataType[]).map((name) => [elementTypes[name].code, name]),
);

/** The element type with an ONNX code; undefined for codes that are unknown (or 0, "undefined"). */
export function dataTypeOf(code: number): DataType | undefined {
  return typesByCode.get(code);
}

/** Where a tensor stands, and the code of the error when it is not right (default INVALID_DATA). */
export interface Place {
  readonly code?: ErrorCode;
  readonly where?: string;
}

/** Throws the error of a tensor that is not right. */
export function refuse(problem: string, { code = 'INVALID_DATA', where }: Place): never {
  throw new GradwareError(code, problem, {
    ...(where !== undefined && { where }),
    ...(code === 'INVALID_MODEL' && { remedy: exportAgain }),
  });
}

/** The number of values of a tensor.
 *  @throws GradwareError for a negative, fractional or too large size. */
export function elementCount(dims: readonly number[], place: Place = {}): number {
  let count = 1;
  let largest = 1;
  for (const dim of dims) {
    if (!Number.isSafeInteger(dim) || dim < 0) refuse(`A tensor has the dimension ${dim}`, place);
    count *= dim;
    // A zero elsewhere must not hide that the rest overflows.
    largest *= Math.max(dim, 1);
  }
  if (!Number.isSafeInteger(largest * 16)) {
    refuse(`A tensor of shape [${dims.join(', ')}] has more values than can be counted`, place);
  }
  return count;
}

/** The bytes that the values of a (non-string) tensor take; 4-bit values lie two in a byte. */
export function byteLength(type: DataType, dims: readonly number[], place: Place = {}): number {
  return Math.ceil((elementCount(dims, place) * elementTypes[type].bits) / 8);
}
