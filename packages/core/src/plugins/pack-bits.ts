import type { Op } from '../graph/builder.js';
import { elementCount, type Value } from '../graph/value.js';

/** So many codes of n bits fill n bytes exactly. */
const group = 8;
/** A code of at most 16 bits, moved by at most 7, touches at most this many bytes. */
const spanned = 3;

/** Bit i · bits is the lowest bit of code i: where it begins in its group. */
function placeOf(code: number, bits: number): { readonly byte: number; readonly shift: number } {
  const bit = code * bits;
  return { byte: Math.floor(bit / 8), shift: bit % 8 };
}

function matrix(
  op: Op,
  rows: number,
  columns: number,
  at: (row: number, column: number) => number,
) {
  const data = Float32Array.from({ length: rows * columns }, (_, i) =>
    at(Math.floor(i / columns), i % columns),
  );
  return op.constant({ type: 'float32', dims: [rows, columns], data });
}

function shifts(op: Op, bits: number): Value {
  return matrix(op, 1, group, (_, code) => 2 ** placeOf(code, bits).shift);
}

/** x mod 2^bits for whole numbers x >= 0, exact in float32 below 2^24. */
function lowBits(op: Op, x: Value, bits: number): Value {
  return op.Sub(x, op.Mul(op.Floor(op.Mul(x, 2 ** -bits)), 2 ** bits));
}

/** Packs whole numbers in [0, 2^bits) tightly, least significant bit first, padded to a multiple of eight: for the
 *  payload of a compressor.
 *  Every code is moved to its place in the bytes (a multiplication), cut into bytes, and the bytes of the eight
 *  codes of a group are put where they belong by a product with a matrix of zeros and ones; since no two codes
 *  share a bit, the sum is their union.
 *  @param codes float32, any shape; NaN and numbers out of range give codes that mean nothing
 *  @param bits 1 to 16
 *  @returns uint8 [⌈count / 8⌉ · bits] */
export function packBits(op: Op, codes: Value, bits: number): Value {
  const count = elementCount(codes.shape);
  const groups = Math.ceil(count / group);
  const flat = op.reshape(codes, [count]);
  const missing = groups * group - count;
  const padded = missing === 0 ? flat : op.Pad(flat, op.ints([0, missing]));
  const moved = op.Mul(op.reshape(padded, [groups, group]), shifts(op, bits));
  const parts = Array.from({ length: spanned }, (_, part) =>
    lowBits(op, part === 0 ? moved : op.Floor(op.Mul(moved, 2 ** (-8 * part))), 8),
  );
  const places = matrix(op, spanned * group, bits, (row, byte) =>
    placeOf(row % group, bits).byte + Math.floor(row / group) === byte ? 1 : 0,
  );
  const bytes = op.MatMul(op.Concat(...parts, { axis: 1 }), places);
  return op.cast(op.reshape(bytes, [groups * bits]), 'uint8');
}

/** What `packBits` packed.
 *  @returns float32 of `shape` */
export function unpackBits(op: Op, packed: Value, bits: number, shape: readonly number[]): Value {
  const count = elementCount(shape);
  const groups = Math.ceil(count / group);
  const bytes = op.reshape(op.cast(packed, 'float32'), [groups, bits]);
  const places = matrix(op, bits, group, (byte, code) => {
    const { byte: first, shift } = placeOf(code, bits);
    const end = Math.floor((code * bits + bits - 1) / 8);
    return byte >= first && byte <= end ? 2 ** (8 * (byte - first)) / 2 ** shift : 0;
  });
  const moved = op.Floor(op.MatMul(bytes, places));
  const codes = op.reshape(lowBits(op, moved, bits), [groups * group]);
  const kept = groups * group === count ? codes : op.slice(codes, 0, 0, count);
  return op.reshape(kept, shape);
}
