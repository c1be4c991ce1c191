import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { nodeFiles } from './node-files.js';

const folder = mkdtempSync(join(tmpdir(), 'gradware-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

const path = (name: string) => join(folder, name);

test('a file is replaced whole', async () => {
  writeFileSync(path('old'), 'a longer text');
  await nodeFiles.writeAtomic(path('old'), Uint8Array.of(104, 105));
  expect(readFileSync(path('old'), 'utf8')).toBe('hi');
  expect(readdirSync(folder)).toEqual(['old']);
});

test('says which folder is missing', async () => {
  await expect(nodeFiles.writeAtomic(path('none/new'), new Uint8Array(1))).rejects.toMatchObject({
    code: 'FILE',
    message: expect.stringContaining(`The folder ${path('none')} does not exist`),
  });
});

test('puts no file in the place of a folder or a socket', async () => {
  await expect(nodeFiles.writeAtomic(folder, new Uint8Array(1))).rejects.toThrow(/is a folder/);
  const server = createServer();
  await new Promise<void>((listening) => server.listen(path('socket'), listening));
  await expect(nodeFiles.writeAtomic(path('socket'), new Uint8Array(1))).rejects.toThrow(
    /is no regular file/,
  );
  await new Promise((closed) => server.close(closed));
});
