import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { externalFiles } from './node-external-files.js';

const root = mkdtempSync(join(tmpdir(), 'gradware-'));
afterAll(() => rmSync(root, { recursive: true }));

const folder = join(root, 'model');
mkdirSync(join(folder, 'weights'), { recursive: true });
writeFileSync(join(root, 'secret'), 'secret');
writeFileSync(join(folder, 'w.bin'), 'abcd');
writeFileSync(join(folder, 'weights', '..w'), 'efgh');
symlinkSync(join(root, 'secret'), join(folder, 'link'));
symlinkSync(join(folder, 'w.bin'), join(folder, 'inner-link'));
symlinkSync(root, join(folder, 'folder-link'));

const read = externalFiles(join(folder, 'model.onnx'));

test.each([
  ['w.bin', 'abcd'],
  ['./w.bin', 'abcd'],
  ['weights/..w', 'efgh'],
  ['inner-link', 'abcd'],
])('%s in the folder is read', (location, content) => {
  const bytes = read(location);
  expect(new TextDecoder().decode(bytes)).toBe(content);
  expect(bytes?.constructor).toBe(Uint8Array);
});

test.each([
  '../secret',
  'weights/../../secret',
  'weights\\..\\..\\secret',
  join(root, 'secret'),
  'C:\\secret',
  '\\\\host\\share',
  'link',
  'folder-link/secret',
  '.',
  'w.bin\0',
])('%s outside the folder is refused', (location) => {
  expect(() => read(location)).toThrow(/lies outside the model's folder/);
});

test('what is no file, or is missing, is refused', () => {
  expect(() => read('weights')).toThrow(/is no file/);
  expect(() => read('absent.bin')).toThrow(/is missing/);
});
