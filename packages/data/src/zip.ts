import { GradwareError } from '@gradware/core';
import { inflateSync } from 'fflate';
import type { Budget } from './budget.js';
import { crc32 } from './crc32.js';

/** A file inside a zip archive. */
export interface ZipEntry {
  readonly name: string;
  /** Unpacks it and checks its length and checksum. @throws GradwareError INVALID_DATA, UNSUPPORTED, OUT_OF_MEMORY */
  readonly read: (budget: Budget) => Uint8Array;
}

const SIGNATURE = {
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
  directory: 0x02014b50,
  local: 0x04034b50,
} as const;
const SATURATED = 0xffffffff;
const ENCRYPTED = 1;
const STORED = 0;
const DEFLATED = 8;
/** Deflate cannot shrink by more: a larger claim is a lie, and is not given its memory. */
const MAX_RATIO = 1032;

/** Lists a zip archive from its central directory, zip64 included (APPNOTE 6.3.10).
 *  fflate's own `unzip` neither checks checksums nor distrusts the announced sizes.
 *  @throws GradwareError INVALID_DATA when the archive is cut off or damaged */
export function readZip(bytes: Uint8Array, where: string): readonly ZipEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return orDamaged(where, () => {
    const { count, start } = findDirectory(view, where);
    const entries: ZipEntry[] = [];
    let at = start;
    for (let i = 0; i < count; i++) {
      if (view.getUint32(at, true) !== SIGNATURE.directory)
        throw damaged(where, 'entry missing from the directory');
      const entry = directoryEntry(view, bytes, at);
      entries.push({
        name: entry.name,
        read: (budget) => {
          const inside = `${where}, ${entry.name}`;
          return orDamaged(inside, () => unpack(view, bytes, entry, budget, inside));
        },
      });
      at = entry.next;
    }
    return entries;
  });
}

interface DirectoryEntry {
  readonly name: string;
  readonly flags: number;
  readonly method: number;
  readonly checksum: number;
  readonly packed: number;
  readonly unpacked: number;
  readonly offset: number;
  readonly next: number;
}

function findDirectory(view: DataView, where: string): { count: number; start: number } {
  const longestComment = 0xffff;
  const last = view.byteLength - 22;
  for (let at = last; at >= Math.max(0, last - longestComment); at--) {
    if (view.getUint32(at, true) !== SIGNATURE.end) continue;
    if (at >= 20 && view.getUint32(at - 20, true) === SIGNATURE.locator64) {
      const end64 = uint64(view, at - 12);
      if (view.getUint32(end64, true) !== SIGNATURE.end64)
        throw damaged(where, 'zip64 directory missing');
      return { count: uint64(view, end64 + 32), start: uint64(view, end64 + 48) };
    }
    return { count: view.getUint16(at + 10, true), start: view.getUint32(at + 16, true) };
  }
  throw damaged(where, 'no directory at its end');
}

function directoryEntry(view: DataView, bytes: Uint8Array, at: number): DirectoryEntry {
  const nameEnd = at + 46 + view.getUint16(at + 28, true);
  const extraEnd = nameEnd + view.getUint16(at + 30, true);
  const wide = zip64Fields(view, nameEnd, extraEnd);
  const field = (offset: number) => {
    const value = view.getUint32(at + offset, true);
    return value === SATURATED ? (wide.shift() ?? value) : value;
  };
  // The zip64 field holds only the saturated ones, in this order.
  const unpacked = field(24);
  const packed = field(20);
  const offset = field(42);
  return {
    name: new TextDecoder().decode(bytes.subarray(at + 46, nameEnd)),
    flags: view.getUint16(at + 8, true),
    method: view.getUint16(at + 10, true),
    checksum: view.getUint32(at + 16, true),
    packed,
    unpacked,
    offset,
    next: extraEnd + view.getUint16(at + 32, true),
  };
}

function zip64Fields(view: DataView, start: number, end: number): number[] {
  const fields: number[] = [];
  for (let at = start; at + 4 <= end; ) {
    const next = at + 4 + view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1) {
      for (let field = at + 4; field + 8 <= Math.min(next, end); field += 8)
        fields.push(uint64(view, field));
    }
    at = next;
  }
  return fields;
}

function unpack(
  view: DataView,
  bytes: Uint8Array,
  entry: DirectoryEntry,
  budget: Budget,
  where: string,
): Uint8Array {
  const { offset, packed, unpacked, method } = entry;
  if (entry.flags & ENCRYPTED) throw unsupported(where, 'is encrypted');
  if (method !== STORED && method !== DEFLATED)
    throw unsupported(where, `is packed by method ${method}`);
  if (view.getUint32(offset, true) !== SIGNATURE.local)
    throw damaged(where, 'local header missing');
  const start = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  if (start + packed > bytes.length)
    throw damaged(where, `${packed} bytes announced beyond the end of the archive`);
  if (unpacked > (method === STORED ? packed : packed * MAX_RATIO))
    throw damaged(where, 'impossible size announced');

  budget.spend(unpacked, where);
  const content = bytes.subarray(start, start + packed);
  const plain =
    method === STORED ? content : inflateSync(content, { out: new Uint8Array(unpacked) });
  if (plain.length !== unpacked || crc32(plain) !== entry.checksum)
    throw damaged(where, 'checksum does not match');
  return plain;
}

function uint64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

/** Reading past the end (RangeError of DataView) and fflate's complaints all mean one thing. */
function orDamaged<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof GradwareError ? error : damaged(where, 'unreadable', error);
  }
}

function damaged(where: string, how: string, cause?: unknown): GradwareError {
  return new GradwareError('INVALID_DATA', `The zip archive is cut off or damaged: ${how}`, {
    where,
    remedy: 'Fetch or write it again.',
    cause,
  });
}

function unsupported(where: string, how: string): GradwareError {
  return new GradwareError('UNSUPPORTED', `The archive member ${how}`, {
    where,
    remedy: 'Write it with numpy.savez or numpy.savez_compressed.',
  });
}
