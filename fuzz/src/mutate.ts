import type { Random } from './random.js';

/** Damages a copy of a file in its place, or gives a file of another length. */
type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array;

/** Structure lies at the ends of files, and weights between: half of the damage goes to the ends. */
function place({ byteLength: size }: Uint8Array, random: Random, width = 1): number {
  const room = Math.max(1, size - width + 1);
  const end = Math.min(room, 4096);
  if (room > end && random.chance(0.75))
    return random.chance(0.5) ? random.below(end) : room - 1 - random.below(end);
  return random.below(room);
}

const viewOf = (bytes: Uint8Array) =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Lengths and offsets that overflow, point behind the file, or are just too large. */
const huge = [
  ...[0xffffffff, 0x7fffffff, 0x80000000, 0x40000000, 0x10000000, 0x01000000],
  ...[0, 1, 4, 0xfffffffc],
] as const;

/** Varints of the same kind: 2^28, 2^31 - 1, 2^32 - 1, 2^63 - 1, 2^64 - 1, one without an end. */
const varints = [
  [0x80, 0x80, 0x80, 0x80, 0x01],
  [0xff, 0xff, 0xff, 0xff, 0x07],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [...Array<number>(8).fill(0xff), 0x7f],
  [...Array<number>(9).fill(0xff), 0x01],
  Array<number>(11).fill(0xff),
] as const;

function setUint32(bytes: Uint8Array, at: number, value: number): void {
  if (at + 4 <= bytes.byteLength) viewOf(bytes).setUint32(at, value, true);
}

const chunk = (bytes: Uint8Array, random: Random): readonly [number, number] => {
  const from = place(bytes, random);
  const length = 1 + random.below(Math.min(64, bytes.byteLength - from));
  return [from, length];
};

const joined = (...parts: readonly Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return all;
};

export const mutations = {
  'flip a bit': (bytes, random) => {
    const at = place(bytes, random);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    return bytes;
  },
  'set a byte': (bytes, random) => {
    bytes[place(bytes, random)] = random.pick([0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, random.below(256)]);
    return bytes;
  },
  'flip bits': (bytes, random) => {
    for (let i = random.below(8); i >= 0; i--) {
      const at = place(bytes, random);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    }
    return bytes;
  },
  'set bytes': (bytes, random) => {
    for (let i = random.below(4); i >= 0; i--)
      bytes[place(bytes, random)] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
    return bytes;
  },
  'cut off': (bytes, random) => bytes.subarray(0, random.below(bytes.byteLength)),
  'cut a little off': (bytes, random) =>
    bytes.subarray(0, Math.max(0, bytes.byteLength - 1 - random.below(32))),
  append: (bytes, random) =>
    joined(
      bytes,
      Uint8Array.from({ length: 1 + random.below(32) }, () => random.below(256)),
    ),
  'swap words': (bytes, random) => {
    const [a, b] = [place(bytes, random, 4) & ~3, place(bytes, random, 4) & ~3];
    if (Math.max(a, b) + 4 > bytes.byteLength) return bytes;
    const view = viewOf(bytes);
    const [first, second] = [view.getUint32(a, true), view.getUint32(b, true)];
    view.setUint32(a, second, true);
    view.setUint32(b, first, true);
    return bytes;
  },
  'nudge a word': (bytes, random) => {
    const at = place(bytes, random, 4);
    if (at + 4 > bytes.byteLength) return bytes;
    const view = viewOf(bytes);
    view.setUint32(at, (view.getUint32(at, true) + random.pick([-8, -4, -1, 1, 4, 8])) >>> 0, true);
    return bytes;
  },
  'huge word': (bytes, random) => {
    setUint32(bytes, place(bytes, random, 4) & ~random.pick([0, 3]), random.pick(huge));
    return bytes;
  },
  'huge long': (bytes, random) => {
    const at = place(bytes, random, 8) & ~random.pick([0, 3, 7]);
    setUint32(bytes, at, random.pick(huge));
    setUint32(bytes, at + 4, random.pick(huge));
    return bytes;
  },
  'huge varint': (bytes, random) => {
    const at = place(bytes, random);
    const value = Uint8Array.from(random.pick(varints));
    if (random.chance(0.5)) return joined(bytes.subarray(0, at), value, bytes.subarray(at + 1));
    bytes.set(value.subarray(0, bytes.byteLength - at), at);
    return bytes;
  },
  'drop a piece': (bytes, random) => {
    const [from, length] = chunk(bytes, random);
    return joined(bytes.subarray(0, from), bytes.subarray(from + length));
  },
  'repeat a piece': (bytes, random) => {
    const [from, length] = chunk(bytes, random);
    const copies = random.pick([2, 3, 100]);
    const piece = bytes.subarray(from, from + length);
    const repeated = Array.from({ length: copies }, () => piece);
    return joined(bytes.subarray(0, from), ...repeated, bytes.subarray(from + length));
  },
  'copy a piece elsewhere': (bytes, random) => {
    const [from, length] = chunk(bytes, random);
    const to = place(bytes, random);
    bytes.set(bytes.slice(from, from + Math.min(length, bytes.byteLength - to)), to);
    return bytes;
  },
} as const satisfies Readonly<Record<string, Mutation>>;

export interface Mutated {
  readonly bytes: Uint8Array;
  /** What was done to it. */
  readonly how: string;
}

/** Small damage gets past the first checks, so it comes more often. */
const small = ['flip a bit', 'set a byte', 'nudge a word'] as const;
const kinds = Object.keys(mutations) as [keyof typeof mutations];

/** A damaged copy of a file: by one mutation, sometimes by two or three. */
export function mutate(original: Uint8Array, random: Random): Mutated {
  const how: string[] = [];
  let bytes: Uint8Array = original.slice();
  for (let left = random.pick([1, 1, 1, 2, 3]); left > 0 && bytes.byteLength > 0; left--) {
    const kind = random.chance(0.4) ? random.pick(small) : random.pick(kinds);
    bytes = mutations[kind](bytes, random);
    how.push(kind);
  }
  return { bytes, how: how.join(', ') };
}
