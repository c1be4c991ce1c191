import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findInstalled, searchRoots } from './find.js';
import { loadPlugin, makePlugin } from './resolve.js';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'gradware-plugins-')));
const project = join(root, 'project');
const nested = join(project, 'src', 'deep');
const roots = [nested, join(root, 'cli')];

function write(path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

/** A plugin as plain JavaScript: the contract needs no import. */
const source = (name: string, mark: string) => `
const definition = { name: '${name}', description: '${mark}', options: {} };
export const factory = Object.assign((given = {}) => ({ name: '${name}', ...given }), { definition });`;

function writePackage(place: string, packageName: string, name: string, mark: string): void {
  const folder = `${place}/node_modules/${packageName}`;
  const manifest = {
    name: packageName,
    version: '1.2.3',
    type: 'module',
    exports: { import: './x.js' },
  };
  write(`${folder}/package.json`, JSON.stringify(manifest));
  write(`${folder}/x.js`, source(name, mark));
}

beforeAll(() => {
  mkdirSync(nested, { recursive: true });
  writePackage('project', '@gradware/plugin-twice', 'twice', 'ours, near');
  writePackage('project', 'gradware-plugin-twice', 'twice', 'others, near');
  writePackage('project', 'gradware-plugin-community', 'community', 'others');
  writePackage('cli', '@gradware/plugin-twice', 'twice', 'ours, far');
  writePackage('cli', '@gradware/plugin-builtin', 'builtin', 'comes along');
  write('project/src/deep/local.mjs', source('local', 'a file'));
  write('project/src/deep/community', 'not a plugin: packages come before paths');
  write('project/src/deep/none.mjs', 'export const x = 1;');
  write('project/src/deep/broken.mjs', 'throw new Error("out of luck");');
  write(
    'project/src/deep/two.mjs',
    `${source('a', '')} export const { second } = { second: Object.assign(() => ({}), { definition: { name: 'b', options: {} } }) };`,
  );
  writePackage('project/src/deep/linked', 'own-package', 'own', 'a folder');
});
afterAll(() => rmSync(root, { recursive: true }));

const found = async (name: string) => (await loadPlugin(name, roots)).definition.description;

test('ours come before others, near ones before far ones, packages before paths', async () => {
  expect(await found('twice')).toBe('ours, near');
  expect(await found('community')).toBe('others');
  expect(await found('builtin')).toBe('comes along');
  expect(await found('gradware-plugin-twice')).toBe('others, near');
});

test('a path is a module or the folder of a package', async () => {
  expect(await found('./local.mjs')).toBe('a file');
  expect(await found('local.mjs')).toBe('a file');
  expect(await found(join(nested, 'local.mjs'))).toBe('a file');
  expect(await found('./linked/node_modules/own-package')).toBe('a folder');
});

test.each([
  ['twcie', 'UNKNOWN_PLUGIN', /Did you mean twice\?/],
  ['entirely-else', 'UNKNOWN_PLUGIN', /builtin, community, twice/],
  ['../../../etc', 'UNKNOWN_PLUGIN', /No plugin is named/],
  ['./none.mjs', 'PLUGIN_CONTRACT', /exports no plugin/],
  ['./broken.mjs', 'PLUGIN_CONTRACT', /out of luck/],
  ['./two.mjs', 'PLUGIN_CONTRACT', /more than one: a, b/],
])('%s is refused', async (name, code, message) => {
  await expect(loadPlugin(name, roots)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
});

test('what is installed is listed once, by name', () => {
  expect(findInstalled(roots).map((one) => [one.name, one.packageName, one.version])).toEqual([
    ['builtin', '@gradware/plugin-builtin', '1.2.3'],
    ['community', 'gradware-plugin-community', '1.2.3'],
    ['twice', '@gradware/plugin-twice', '1.2.3'],
  ]);
});

test('the four plugins come with the command line', () => {
  const names = findInstalled(searchRoots(root)).map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['l2', 'norm-clip', 'quantize', 'value-clip']));
});

test('options that every plugin has are options of each', async () => {
  const plugin = await makePlugin('./local.mjs:id=mine,include=[fc1.*,fc2.*],every=2', roots);
  expect(plugin).toMatchObject({ id: 'mine', include: ['fc1.*', 'fc2.*'], every: 2 });
  await expect(makePlugin('./local.mjs:evry=2', roots)).rejects.toThrow('Did you mean every?');
});

test('what can only be a path is not looked for among packages', async () => {
  await expect(loadPlugin('./nowhere.mjs', roots)).rejects.toThrow(
    /"\.\/nowhere\.mjs" \(looked for the file \.\/nowhere\.mjs\)/,
  );
});
