import { byteLength, elementCount, elementTypes, type Place, refuse } from './element-types.js';
import { toBfloat16, toFloat16 } from './float16.js';
import type { DataType, TensorData, TypedArray } from './ir.js';

/** Values as callers write them down; 64-bit integers as numbers or bigints, 16-bit floats as numbers. */
export type TensorValues = TypedArray | readonly (number | bigint | boolean)[] | readonly string[];

/** A tensor from its values, checked against its shape.
 *  A typed array of the right kind is taken as it is (16-bit floats: bit patterns), everything else is converted.
 *  @throws GradwareError INVALID_DATA where the number of values, or a value, does not fit. */
export function makeTensor(
  type: DataType,
  dims: readonly number[],
  values: TensorValues,
): TensorData {
  const { array } = elementTypes[type];
  const data = array !== undefined && values instanceof array ? values : convert(type, values);
  const wanted =
    array === undefined ? elementCount(dims) : byteLength(type, dims) / array.BYTES_PER_ELEMENT;
  if (data.length !== wanted) {
    refuse(
      `A ${type} tensor of shape [${dims.join(', ')}] needs ${wanted} values, not ${data.length}`,
      {},
    );
  }
  return { type, dims: [...dims], data };
}

/** A tensor without dimensions. */
export function scalar(type: DataType, value: number | bigint | boolean | string): TensorData {
  return makeTensor(type, [], [value] as TensorValues);
}

/** A tensor of zeros (false, or empty strings). */
export function zeros(type: DataType, dims: readonly number[]): TensorData {
  const { array } = elementTypes[type];
  if (array === undefined) {
    return { type, dims: [...dims], data: new Array<string>(elementCount(dims)).fill('') };
  }
  return {
    type,
    dims: [...dims],
    data: new array(byteLength(type, dims) / array.BYTES_PER_ELEMENT),
  };
}

/** The same tensor with data of its own. */
export function copyTensor({ type, dims, data }: TensorData): TensorData {
  return { type, dims, data: data.slice() as typeof data };
}

/** The little-endian bytes of a tensor's values, without a copy.
 *  @throws GradwareError INVALID_DATA for strings. */
export function tensorBytes(tensor: TensorData): Uint8Array {
  if (!ArrayBuffer.isView(tensor.data)) {
    return refuse('A tensor of strings has no bytes', {});
  }
  const { buffer, byteOffset, byteLength: length } = tensor.data;
  return new Uint8Array(buffer, byteOffset, length);
}

/** A (non-string) tensor over little-endian bytes: a view of them where they are aligned, else one copy.
 *  @throws GradwareError where the bytes are not as many as type and shape say. */
export function tensorFromBytes(
  type: DataType,
  dims: readonly number[],
  bytes: Uint8Array,
  place: Place = {},
): TensorData {
  const { array } = elementTypes[type];
  if (array === undefined) return refuse('Strings cannot be read from raw bytes', place);
  const expected = byteLength(type, dims, place);
  if (bytes.byteLength !== expected) {
    refuse(
      `A ${type} tensor of shape [${dims.join(', ')}] needs ${expected} bytes, not ${bytes.byteLength}`,
      place,
    );
  }
  const aligned = bytes.byteOffset % array.BYTES_PER_ELEMENT === 0 ? bytes : Uint8Array.from(bytes);
  const length = expected / array.BYTES_PER_ELEMENT;
  return { type, dims: [...dims], data: new array(aligned.buffer, aligned.byteOffset, length) };
}

function convert(type: DataType, values: TensorValues): TypedArray | readonly string[] {
  const list: ArrayLike<number | bigint | boolean | string> = values;
  const { array } = elementTypes[type];
  const misfit = (index: number): never =>
    refuse(`Value ${index} of a ${type} tensor is ${JSON.stringify(String(list[index]))}`, {});
  if (array === undefined) {
    return Array.from(list, (value, i) => (typeof value === 'string' ? value : misfit(i)));
  }
  if (type === 'int64' || type === 'uint64') {
    const [low, high] = type === 'int64' ? [-(2n ** 63n), 2n ** 63n - 1n] : [0n, 2n ** 64n - 1n];
    const integers = Array.from(list, (value, i) => {
      const integral = typeof value === 'bigint' || Number.isSafeInteger(Number(value));
      const integer = integral && typeof value !== 'string' ? BigInt(value) : misfit(i);
      return integer < low || integer > high ? misfit(i) : integer;
    });
    return type === 'int64' ? BigInt64Array.from(integers) : BigUint64Array.from(integers);
  }
  const limits = integerLimits[type];
  const encode = encoders[type];
  const data = new array(list.length) as Exclude<TypedArray, BigInt64Array | BigUint64Array>;
  for (let i = 0; i < list.length; i++) {
    const value = list[i];
    const number = value === undefined || typeof value === 'string' ? misfit(i) : Number(value);
    if (limits && !(Number.isInteger(number) && number >= limits[0] && number <= limits[1])) {
      misfit(i);
    }
    data[i] = encode === undefined ? number : encode(number);
  }
  return data;
}

const integerLimits: Partial<Record<DataType, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  bool: [0, 1],
};

const encoders: Partial<Record<DataType, (value: number) => number>> = {
  float16: toFloat16,
  bfloat16: toBfloat16,
};
