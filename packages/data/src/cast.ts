import type { DataType, TypedArray } from '@gradware/core';
import { fromBfloat16, fromFloat16, GradwareError, toBfloat16, toFloat16 } from '@gradware/core';
import { bytesOf, type NdArray } from './elements.js';

/** Where a column's values go among those of an input made of several. */
export interface Placement {
  /** Values of one example of the column. */
  readonly width: number;
  /** Values of one example of the input. */
  readonly stride: number;
  /** Where the column begins in an example. */
  readonly offset: number;
}

/** A value that the wanted type cannot hold. */
export interface CastFault {
  readonly row: number;
  readonly value: number | bigint;
}

type FloatWriter = (value: number) => number;

const FLOATS: Partial<Readonly<Record<DataType, { write: FloatWriter; read: FloatWriter }>>> = {
  float64: { write: (value) => value, read: (value) => value },
  float32: { write: Math.fround, read: (value) => value },
  float16: { write: toFloat16, read: fromFloat16 },
  bfloat16: { write: toBfloat16, read: fromBfloat16 },
};

const RANGES: Partial<Readonly<Record<DataType, readonly [number, number]>>> = {
  bool: [0, 1],
  int8: [-(2 ** 7), 2 ** 7 - 1],
  uint8: [0, 2 ** 8 - 1],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  uint16: [0, 2 ** 16 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
};

/** Whether a model input of a type can be filled from data. */
export function canCastTo(type: DataType): boolean {
  return type in FLOATS || type in RANGES;
}

/** Writes a column's values into `target` as another type. Integers must come out exactly; floating-point numbers are
 *  rounded to the wanted precision, but may not overflow. Returns the first value for which that fails.
 *  @param scale factor for every value; only for floating-point targets
 *  @throws GradwareError UNSUPPORTED when there is no such cast */
export function castInto(
  column: NdArray,
  target: TypedArray,
  type: DataType,
  { width, stride, offset }: Placement,
  scale = 1,
): CastFault | undefined {
  if (column.type === type && scale === 1)
    return copyInto(column, target, { width, stride, offset });
  const source = column.data;
  const read = reader(source, column.type);
  const write = writer(target, type, scale === 1 && column.type in RANGES);
  for (let i = 0; i < source.length; i++) {
    const row = Math.floor(i / width);
    const value = read(i);
    const scaled = scale === 1 ? value : value * scale;
    if (!write(row * stride + offset + (i - row * width), scaled))
      return { row, value: source[i]! };
  }
  return undefined;
}

function copyInto(
  column: NdArray,
  target: TypedArray,
  { width, stride, offset }: Placement,
): undefined {
  const size = target.BYTES_PER_ELEMENT;
  const from = bytesOf(column.data);
  const to = bytesOf(target);
  for (let read = 0, write = offset; read < column.data.length; read += width, write += stride) {
    to.set(from.subarray(read * size, (read + width) * size), write * size);
  }
}

/** Values as numbers; those that a number cannot hold become NaN, which no integer type takes. */
function reader(source: TypedArray, type: DataType): (i: number) => number {
  if (source instanceof BigInt64Array || source instanceof BigUint64Array) {
    return (i) => {
      const value = Number(source[i]!);
      return Number.isSafeInteger(value) ? value : Number.NaN;
    };
  }
  const convert = FLOATS[type]?.read;
  return convert === undefined ? (i) => source[i]! : (i) => convert(source[i]!);
}

/** Stores a value and says whether the type could hold it. */
function writer(
  target: TypedArray,
  type: DataType,
  exact: boolean,
): (at: number, value: number) => boolean {
  const float = FLOATS[type];
  const range = RANGES[type];
  if (target instanceof BigInt64Array || target instanceof BigUint64Array) {
    const [low, high] = RANGES[type]!;
    return (at, value) => {
      if (!Number.isInteger(value) || value < low || value > high) return false;
      target[at] = BigInt(value);
      return true;
    };
  }
  if (float !== undefined) {
    return (at, value) => {
      const written = float.write(value);
      target[at] = written;
      const back = float.read(written);
      return exact ? back === value : Number.isFinite(back) || !Number.isFinite(value);
    };
  }
  if (range !== undefined) {
    const [low, high] = range;
    return (at, value) => {
      if (!Number.isInteger(value) || value < low || value > high) return false;
      target[at] = value;
      return true;
    };
  }
  throw new GradwareError('UNSUPPORTED', `Data cannot be given as ${type}`, {
    remedy: `Model inputs that are filled from data are ${[...Object.keys(FLOATS), ...Object.keys(RANGES)].join(', ')}.`,
  });
}
