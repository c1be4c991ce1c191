import { expect, test } from 'vitest';
import { webFiles } from './web-files.js';

test('folders end in a slash, whatever follows as a query', async () => {
  const asked = ['https://a.b/c/', 'https://a.b/c/?d=e', 'https://a.b/c', new URL('https://a.b/')];
  const found = await Promise.all(asked.map((url) => webFiles.isFolder(url)));
  expect(found).toEqual([true, true, false, true]);
});

test.each(['http://', '/relative/to/nothing/'])('%s is refused as a file', async (address) => {
  expect(await webFiles.isFolder(address)).toBe(false);
  await expect(webFiles.read(address)).rejects.toMatchObject({
    code: 'FILE',
    message: expect.stringContaining(`${address} could not be loaded`),
  });
});
