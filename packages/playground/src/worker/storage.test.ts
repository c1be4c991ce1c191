import { expect, test } from 'vitest';
import { fromJson, toJson } from './json.js';
import { seal, unseal } from './storage.js';

const stored = {
  header: '{"step": 12}',
  blobs: [Uint8Array.of(1, 2, 3), new Uint8Array(), new Uint8Array(1000).fill(7)],
};

test('gives back what was sealed', async () => {
  expect(await unseal(await seal(5, stored))).toEqual({ sequence: 5, stored });
});

test('knows a file that was cut short, at whatever byte', async () => {
  const bytes = await seal(1, stored);
  for (const length of [0, 1, 23, 55, 56, 100, bytes.length - 1])
    expect(await unseal(bytes.slice(0, length))).toBeUndefined();
});

test('knows a file in which a byte has changed', async () => {
  const bytes = await seal(1, stored);
  for (const at of [0, 4, 16, 30, 60, bytes.length - 1]) {
    const changed = bytes.slice();
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(await unseal(changed)).toBeUndefined();
  }
});

test('keeps numbers that JSON has no word for', () => {
  const numbers = [1.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, null, '@'];
  expect(fromJson(toJson({ numbers }))).toEqual({ numbers });
});
