import type { DataType, TypedArray } from '@gradware/core';
import { elementTypes, GradwareError } from '@gradware/core';

/** An array with a shape, row-major. `float16` and `bfloat16` are bit patterns in a Uint16Array, `bool` is 0 or 1 in a Uint8Array. */
export interface NdArray {
  readonly type: DataType;
  readonly shape: readonly number[];
  readonly data: TypedArray;
}

/** The array of an element type that fills its elements exactly: packed and text types have none. */
function arrayOf(type: DataType) {
  const { array, bits } = elementTypes[type];
  if (array !== undefined && array.BYTES_PER_ELEMENT * 8 === bits) return array;
  throw new GradwareError('UNSUPPORTED', `Data of type ${type} cannot be read or written`, {
    remedy: 'Use a float, integer or bool type of at least 8 bits.',
  });
}

/** Bytes that one element takes. */
export function elementBytes(type: DataType): number {
  return arrayOf(type).BYTES_PER_ELEMENT;
}

/** A new array of `count` zeros. */
export function zeros(type: DataType, count: number): TypedArray {
  return new (arrayOf(type))(count);
}

/** Reads bytes in the machine's own byte order as elements; shares their memory where its alignment allows. */
export function elementsOf(type: DataType, bytes: Uint8Array): TypedArray {
  const size = elementBytes(type);
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new (arrayOf(type))(aligned.buffer, aligned.byteOffset, aligned.byteLength / size);
}

/** The memory of a typed array as bytes, shared. */
export function bytesOf(data: TypedArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** The number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, dim) => size * dim, 1);
}

const LITTLE_ENDIAN_HOST = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Brings elements of `size` bytes into the machine's byte order; a copy where that changes anything. */
export function toHostOrder(bytes: Uint8Array, size: number, littleEndian: boolean): Uint8Array {
  if (size === 1 || littleEndian === LITTLE_ENDIAN_HOST) return bytes;
  const swapped = new Uint8Array(bytes.length);
  for (let start = 0; start < bytes.length; start += size) {
    for (let i = 0; i < size; i++) swapped[start + i] = bytes[start + size - 1 - i] ?? 0;
  }
  return swapped;
}

/** Checks a shape from outside against the bytes that are really there, before anything is allocated.
 *  @throws GradwareError INVALID_DATA */
export function checkSize(
  type: DataType,
  shape: readonly number[],
  available: number,
  where: string,
): void {
  const bytes = sizeOf(shape) * elementBytes(type);
  if (bytes === available) return;
  throw new GradwareError(
    'INVALID_DATA',
    `The header announces ${type} [${shape.join(', ')}], ${bytes} bytes, but ${available} bytes follow`,
    { where, remedy: 'The file is cut off or damaged: fetch or write it again.' },
  );
}
