import type { DataType, TensorData, TypedArray } from '../onnx/ir.js';
import { elementCount } from './value.js';

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  bool: Uint8Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
} as const;

const scratch = new DataView(new ArrayBuffer(4));

/** The float16 bit pattern nearest to a number (ties to even). */
export function toFloat16(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return sign | 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < 2 ** -14) return sign | roundHalfEven(magnitude * 2 ** 24);
  const exponent = Math.floor(Math.log2(magnitude));
  const safe = magnitude < 2 ** exponent ? exponent - 1 : exponent;
  const mantissa = roundHalfEven((magnitude / 2 ** safe - 1) * 1024);
  return sign | (((safe + 15) << 10) + mantissa);
}

export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** A tensor constant of any numeric type from plain numbers. */
export function tensorOf(
  type: DataType,
  values: ArrayLike<number>,
  dims: readonly number[] = [values.length],
): TensorData {
  if (type === 'int64')
    return { type, dims, data: BigInt64Array.from(Array.from(values), toBigInt) };
  if (type === 'uint64')
    return { type, dims, data: BigUint64Array.from(Array.from(values), toBigInt) };
  if (type === 'float16')
    return { type, dims, data: Uint16Array.from(Array.from(values), toFloat16) };
  if (type === 'bfloat16') {
    const bits = new Uint32Array(Float32Array.from(values).buffer);
    return {
      type,
      dims,
      data: Uint16Array.from(bits, (b) => (b + 0x7fff + ((b >>> 16) & 1)) >>> 16),
    };
  }
  const array = arrays[type as keyof typeof arrays];
  return { type, dims, data: array.from(values) };
}

function toBigInt(value: number): bigint {
  return BigInt(value);
}

/** A tensor filled with one number. */
export function filled(type: DataType, shape: readonly number[], value: number): TensorData {
  const size = elementCount(shape);
  const one = tensorOf(type, [value]).data as TypedArray;
  const data = new (one.constructor as new (length: number) => TypedArray)(size);
  if (value !== 0) (data as Float32Array).fill(one[0] as number);
  return { type, dims: shape, data };
}

/** The values of a small integer, bool or float constant as plain numbers; undefined for text. */
export function numbersOf(tensor: TensorData): number[] | undefined {
  if (!('buffer' in tensor.data) || tensor.type === 'float16' || tensor.type === 'bfloat16')
    return undefined;
  return Array.from(tensor.data as ArrayLike<number | bigint>, Number);
}
