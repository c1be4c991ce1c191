import { gzipSync, strToU8, zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { createBudget } from './budget.js';
import { gunzip } from './gzip.js';
import { createRandom } from './random.js';
import { readZip } from './zip.js';

const random = createRandom(1);
// Hard to compress, so that gzip is fed in several chunks; and easy.
const content = Uint8Array.from({ length: 200_000 }, (_, i) =>
  i < 150_000 ? random.below(256) : 7,
);

function unzip(bytes: Uint8Array, maxBytes?: number): Map<string, Uint8Array> {
  const budget = createBudget(maxBytes);
  return new Map(readZip(bytes, 'a.zip').map((entry) => [entry.name, entry.read(budget)]));
}

/** A zip64 archive of one stored file: sizes and offset only in the 64-bit fields. */
function zip64(name: string, body: Uint8Array, checksum: number): Uint8Array {
  const u16 = (value: number) => [value & 255, value >>> 8];
  const u32 = (value: number) => [...u16(value & 0xffff), ...u16(value >>> 16)];
  const u64 = (value: number) => [...u32(value), ...u32(0)];
  const full = u32(0xffffffff);
  const extra = [...u16(1), ...u16(24), ...u64(body.length), ...u64(body.length), ...u64(0)];
  const common = [
    ...u16(45),
    ...u16(0),
    ...u16(0),
    ...u32(0),
    ...u32(checksum),
    ...full,
    ...full,
    ...u16(name.length),
  ];
  const local = [...u32(0x04034b50), ...common, ...u16(0), ...strToU8(name), ...body];
  const entry = [
    ...u32(0x02014b50),
    ...u16(45),
    ...common,
    ...u16(extra.length),
    ...u16(0),
    ...u16(0),
    ...u16(0),
    ...u32(0),
    ...full,
    ...strToU8(name),
    ...extra,
  ];
  const end64 = local.length + entry.length;
  return Uint8Array.from([
    ...local,
    ...entry,
    ...u32(0x06064b50),
    ...u64(44),
    ...u16(45),
    ...u16(45),
    ...u32(0),
    ...u32(0),
    ...u64(1),
    ...u64(1),
    ...u64(entry.length),
    ...u64(local.length),
    ...u32(0x07064b50),
    ...u32(0),
    ...u64(end64),
    ...u32(1),
    ...u32(0x06054b50),
    ...u16(0xffff),
    ...u16(0xffff),
    ...u16(0xffff),
    ...u16(0xffff),
    ...full,
    ...full,
    ...u16(0),
  ]);
}

test('zip, stored and deflated, with a comment', () => {
  const files = { 'a.npy': content, 'empty.npy': new Uint8Array(0) };
  for (const level of [0, 9] as const) {
    const zip = zipSync(files, { level });
    const commented = Uint8Array.from([...zip, ...strToU8('ok')]);
    commented[zip.length - 2] = 2;
    for (const bytes of [zip, commented]) {
      const found = unzip(bytes);
      expect([...found.keys()]).toEqual(Object.keys(files));
      for (const [name, file] of Object.entries(files)) expectSame(found.get(name)!, file);
    }
  }
});

test('zip64', () => {
  // The CRC-32 that every implementation is checked with.
  const bytes = zip64('x.npy', strToU8('123456789'), 0xcbf43926);
  expect(unzip(bytes)).toEqual(new Map([['x.npy', strToU8('123456789')]]));
  expect(() => unzip(zip64('x.npy', strToU8('123456789'), 1))).toThrow(/checksum/);
});

test('gzip of one and of several members', () => {
  const one = gzipSync(content);
  expect(one.length).toBeGreaterThan(2 * 65_536);
  expectSame(gunzip(one, createBudget(), 'x'), content);
  const two = Uint8Array.from([...one, ...gzipSync(strToU8('end'))]);
  expectSame(gunzip(two, createBudget(), 'x'), Uint8Array.from([...content, ...strToU8('end')]));
  expectSame(gunzip(gzipSync(new Uint8Array(0)), createBudget(), 'x'), new Uint8Array(0));
});

/** As `toEqual`, which takes seconds for this many bytes. */
function expectSame(found: Uint8Array, expected: Uint8Array): void {
  expect(found.length).toBe(expected.length);
  expect(found.findIndex((byte, i) => byte !== expected[i])).toBe(-1);
}

test('bombs stop at the budget', () => {
  const bomb = new Uint8Array(5_000_000);
  const gz = gzipSync(bomb);
  expect(() => gunzip(gz, createBudget(1_000_000), 'x')).toThrow(
    expect.objectContaining({ code: 'OUT_OF_MEMORY' }),
  );
  expect(() => unzip(zipSync({ a: bomb }), 1_000_000)).toThrow(
    expect.objectContaining({ code: 'OUT_OF_MEMORY' }),
  );
});

test('a size that deflate cannot reach is not given its memory', () => {
  const zip = zipSync({ a: content });
  const view = new DataView(zip.buffer);
  const directory = view.getUint32(zip.length - 6, true);
  view.setUint32(directory + 24, 0x7fffffff, true);
  expect(() => unzip(zip)).toThrow(/impossible size/);
});

test('encrypted members and unknown methods are refused', () => {
  for (const [field, value, message] of [
    [8, 1, /encrypted/],
    [10, 12, /method 12/],
  ] as const) {
    const zip = zipSync({ a: content });
    const view = new DataView(zip.buffer);
    view.setUint16(view.getUint32(zip.length - 6, true) + field, value, true);
    expect(() => unzip(zip)).toThrow(message);
  }
});

const small = strToU8('0123456789abcdef'.repeat(20));

test.each([
  ['gzip', gzipSync(small), (bytes: Uint8Array) => gunzip(bytes, createBudget(), 'x')],
  ['zip', zipSync({ a: small }), (bytes: Uint8Array) => unzip(bytes).get('a')],
])('%s: no cut and no flipped bit passes for the content', (_, bytes, read) => {
  for (let length = 0; length < bytes.length; length++) {
    expect(() => read(bytes.slice(0, length)), `cut at ${length}`).toThrow(
      expect.objectContaining({ name: 'GradwareError' }),
    );
  }
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const result = outcome(() => read(flipped));
    // Times, versions and names may change; the content may not.
    if (result instanceof Uint8Array) expect(result, `bit ${bit}`).toEqual(small);
    else
      expect(
        result === undefined || (result as Error).name === 'GradwareError',
        `bit ${bit}: ${result}`,
      ).toBe(true);
  }
});

function outcome(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    return error;
  }
}
