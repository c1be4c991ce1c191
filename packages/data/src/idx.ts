import type { DataType } from '@gradware/core';
import { GradwareError } from '@gradware/core';
import { checkSize, elementBytes, elementsOf, type NdArray, toHostOrder } from './elements.js';

/** The third byte of the file. */
const IDX_TYPES: Readonly<Record<number, DataType>> = {
  8: 'uint8',
  9: 'int8',
  11: 'int16',
  12: 'int32',
  13: 'float32',
  14: 'float64',
};

/** Whether bytes begin as an IDX file does. */
export function isIdx(bytes: Uint8Array): boolean {
  return (
    bytes.length >= 4 && bytes[0] === 0 && bytes[1] === 0 && IDX_TYPES[bytes[2] ?? 0] !== undefined
  );
}

/** Reads an IDX file, the format of MNIST: two zeros, element type, rank, the dimensions and the elements, big-endian.
 *  @param where what to call the file in errors
 *  @throws GradwareError INVALID_DATA */
export function decodeIdx(bytes: Uint8Array, where = 'IDX bytes'): NdArray {
  const type = isIdx(bytes) ? IDX_TYPES[bytes[2] ?? 0] : undefined;
  const rank = bytes[3] ?? 0;
  const start = 4 + 4 * rank;
  if (type === undefined || bytes.length < start) {
    throw new GradwareError('INVALID_DATA', 'Not a readable IDX file', {
      where,
      remedy: 'The file is cut off, damaged or of another format: fetch it again.',
    });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const body = bytes.subarray(start);
  checkSize(type, shape, body.length, where);
  return { type, shape, data: elementsOf(type, toHostOrder(body, elementBytes(type), false)) };
}
