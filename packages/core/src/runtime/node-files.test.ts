import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
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

test('what a killed writer of the same file left behind is removed, later', async () => {
  const left = (name: string) => `.${name}.65a08747-6001-4188-a351-7fd01bd09b4f.tmp`;
  const names = [left('kept'), left('target'), `${left('target')}.txt`, '.target.tmp'];
  for (const name of names) writeFileSync(path(name), 'half');
  await nodeFiles.writeAtomic(path('target'), Uint8Array.of(1));
  expect(readdirSync(folder)).toEqual(expect.arrayContaining(names));
  const yesterday = Date.now() / 1000 - 86_400;
  for (const name of names) utimesSync(path(name), yesterday, yesterday);
  await nodeFiles.writeAtomic(path('target'), Uint8Array.of(1));
  const after = readdirSync(folder);
  expect(names.filter((name) => !after.includes(name))).toEqual([left('target')]);
});
