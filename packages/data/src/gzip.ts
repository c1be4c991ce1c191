import { GradwareError } from '@gradware/core';
import { Gunzip } from 'fflate';
import type { Budget } from './budget.js';
import { crc32 } from './crc32.js';

const CHUNK = 1 << 16;
const TRAILER = 8;

/** Whether bytes begin as a gzip file does. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Unpacks a gzip file of one or more members and checks each member's length and checksum (RFC 1952).
 *  @throws GradwareError INVALID_DATA for a damaged file, OUT_OF_MEMORY beyond the budget */
export function gunzip(bytes: Uint8Array, budget: Budget, where: string): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Uint8Array[] = [];
  let total = 0;
  let length = 0;
  let checksum = 0;

  const endMember = (end: number) => {
    const trailer = end - TRAILER;
    const sound =
      trailer > 0 &&
      view.getUint32(trailer, true) === checksum &&
      view.getUint32(trailer + 4, true) === length % 2 ** 32;
    if (!sound) throw damaged(where);
    length = 0;
    checksum = 0;
  };

  const stream = new Gunzip((chunk) => {
    budget.spend(chunk.length, where);
    chunks.push(chunk);
    total += chunk.length;
    length += chunk.length;
    checksum = crc32(chunk, checksum);
  });
  stream.onmember = endMember;
  try {
    for (let start = 0; start < bytes.length; start += CHUNK) {
      stream.push(bytes.subarray(start, start + CHUNK), start + CHUNK >= bytes.length);
    }
    endMember(bytes.length);
  } catch (error) {
    throw error instanceof GradwareError ? error : damaged(where, error);
  }
  return concat(chunks, total);
}

function concat(chunks: readonly Uint8Array[], total: number): Uint8Array {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only;
  const all = new Uint8Array(total);
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}

function damaged(where: string, cause?: unknown): GradwareError {
  return new GradwareError('INVALID_DATA', 'The gzip file is cut off or damaged', {
    where,
    remedy: 'Fetch or write it again.',
    cause,
  });
}
