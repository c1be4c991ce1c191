import type { TypedArray } from './ir.js';

/** One array of the chunks of a field: a packed field may come in several parts. */
export function joinChunks(chunks: readonly Uint8Array[]): Uint8Array {
  const [first] = chunks;
  if (chunks.length === 1 && first !== undefined) return first;
  const joined = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let offset = 0;
  for (const chunk of chunks) {
    joined.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return joined;
}

/** The number of varints in the bytes of a packed field. */
export function countVarints(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) count += byte < 128 ? 1 : 0;
  return count;
}

/** Reads the varints of a packed field into an array of the right length; larger values wrap to its element type.
 *  Returns false where the bytes are no varints of at most 64 bits. */
export function readVarints(bytes: Uint8Array, into: TypedArray): boolean {
  const wide = into instanceof BigInt64Array || into instanceof BigUint64Array;
  const words = wide ? new Uint32Array(into.buffer, into.byteOffset, into.length * 2) : undefined;
  let low = 0;
  let high = 0;
  let shift = 0;
  let index = 0;
  for (const byte of bytes) {
    const part = byte & 127;
    if (shift < 28) low |= part << shift;
    else if (shift === 28) {
      low |= part << 28;
      high |= part >>> 4;
    } else if (shift < 64) high |= part << (shift - 32);
    else return false;
    shift += 7;
    if (byte >= 128) continue;
    if (words !== undefined) {
      words[index * 2] = low;
      words[index * 2 + 1] = high;
    } else if (!wide) {
      into[index] = low;
    }
    index++;
    low = 0;
    high = 0;
    shift = 0;
  }
  return shift === 0;
}

/** The bytes of a number (at most 2^53) as a varint. */
export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
