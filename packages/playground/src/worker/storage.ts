import { GradwareError } from '@gradware/core';

/** What a slot holds, besides its own sequence number and checksum. */
export interface Stored {
  /** JSON. */
  readonly header: string;
  readonly blobs: readonly Uint8Array<ArrayBuffer>[];
}

/** Where runs are kept. Two slots are written in turn: whatever happens to one of them, the other is whole. */
export interface Storage {
  write(stored: Stored): Promise<void>;
  /** The newest slot that is whole, and whether a newer one is not: the tab was closed while it was written. */
  read(): Promise<{ readonly stored: Stored; readonly torn: boolean } | undefined>;
  clear(): Promise<void>;
}

const slots = ['run-a.gradware', 'run-b.gradware'] as const;
type Slot = (typeof slots)[number];

const magic = 0x47575047;
/** magic, format, sequence number, lengths, then SHA-256 of what follows. */
const prefixBytes = 24;
const hashBytes = 32;

function pack({ header, blobs }: Stored): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(header);
  const lengths = new Uint32Array([text.byteLength, ...blobs.map((blob) => blob.byteLength)]);
  const parts = [
    new Uint8Array(Uint32Array.of(lengths.length).buffer),
    new Uint8Array(lengths.buffer),
    text,
    ...blobs,
  ];
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

function unpack(bytes: Uint8Array<ArrayBuffer>): Stored {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  let at = 4 + 4 * count;
  const parts = Array.from({ length: count }, (_, i) => {
    const length = view.getUint32(4 + 4 * i, true);
    const part = bytes.slice(at, at + length);
    at += length;
    return part;
  });
  const [text, ...blobs] = parts;
  return { header: new TextDecoder().decode(text), blobs };
}

async function hashOf(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

/** A slot as it lies in its file. */
export async function seal(sequence: number, stored: Stored): Promise<Uint8Array<ArrayBuffer>> {
  const body = pack(stored);
  const bytes = new Uint8Array(prefixBytes + hashBytes + body.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic, true);
  view.setUint32(4, 1, true);
  view.setBigUint64(8, BigInt(sequence), true);
  view.setBigUint64(16, BigInt(body.byteLength), true);
  bytes.set(await hashOf(body), prefixBytes);
  bytes.set(body, prefixBytes + hashBytes);
  return bytes;
}

/** What a file holds; undefined where it is not whole. */
export async function unseal(
  bytes: Uint8Array<ArrayBuffer>,
): Promise<{ readonly sequence: number; readonly stored: Stored } | undefined> {
  if (bytes.byteLength < prefixBytes + hashBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== magic || view.getUint32(4, true) !== 1) return undefined;
  const body = bytes.slice(prefixBytes + hashBytes);
  if (view.getBigUint64(16, true) !== BigInt(body.byteLength)) return undefined;
  const wanted = bytes.subarray(prefixBytes, prefixBytes + hashBytes);
  const found = await hashOf(body);
  if (!found.every((byte, i) => byte === wanted[i])) return undefined;
  return { sequence: Number(view.getBigUint64(8, true)), stored: unpack(body) };
}

async function readSlot(root: FileSystemDirectoryHandle, slot: Slot) {
  try {
    const file = await (await root.getFileHandle(slot)).getFile();
    const bytes = new Uint8Array(await file.arrayBuffer());
    return { slot, exists: bytes.byteLength > 0, whole: await unseal(bytes) };
  } catch {
    return { slot, exists: false, whole: undefined };
  }
}

/** The private file system of this origin, for this tab alone.
 *  @returns the reason where there is none, or where another tab has it */
export async function openStorage(): Promise<Storage | string> {
  if (!('storage' in navigator) || !('getDirectory' in navigator.storage))
    return 'This browser has no private file system: runs are not kept when the tab is closed.';
  try {
    const root = await navigator.storage.getDirectory();
    if (!(await ownsLock()))
      return 'Another tab of this page keeps its run here: this one is not kept when it is closed.';
    return createStorage(root);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return `Runs cannot be kept here (${reason}): a private window, perhaps.`;
  }
}

/** Holds a lock for as long as the worker lives. A page that reloads has to wait for its own past to let go. */
async function ownsLock(): Promise<boolean> {
  if (!('locks' in navigator)) return true;
  for (let attempt = 0; attempt < 5; attempt++) {
    const owns = await new Promise<boolean>((resolve) => {
      void navigator.locks.request('gradware-playground', { ifAvailable: true }, (lock) => {
        resolve(lock !== null);
        return lock === null ? undefined : new Promise<never>(() => {});
      });
    });
    if (owns) return true;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return false;
}

function createStorage(root: FileSystemDirectoryHandle): Storage {
  const newest = async () => {
    const read = await Promise.all(slots.map((slot) => readSlot(root, slot)));
    const whole = read.flatMap(({ slot, whole: found }) => (found ? [{ slot, ...found }] : []));
    whole.sort((a, b) => b.sequence - a.sequence);
    return { last: whole[0], torn: read.some(({ exists, whole: found }) => exists && !found) };
  };
  /** The slot that was written last; read once. */
  let place: { readonly slot: Slot; readonly sequence: number } | undefined;
  return {
    async write(stored) {
      place ??= (await newest()).last;
      const slot = slots.find((one) => one !== place?.slot) ?? slots[0];
      const sequence = (place?.sequence ?? 0) + 1;
      const bytes = await seal(sequence, stored);
      const access = await (
        await root.getFileHandle(slot, { create: true })
      ).createSyncAccessHandle();
      try {
        access.truncate(0);
        const written = access.write(bytes, { at: 0 });
        if (written < bytes.byteLength)
          throw new GradwareError('FILE', 'There is no room left to keep the run', {
            remedy: 'Download the model, and free space in the settings of the browser.',
          });
        access.flush();
      } finally {
        access.close();
      }
      place = { slot, sequence };
    },
    async read() {
      const { last, torn } = await newest();
      return last && { stored: last.stored, torn };
    },
    async clear() {
      place = undefined;
      for (const slot of slots)
        await root.removeEntry(slot).catch(() => {
          // It was never written.
        });
    },
  };
}
