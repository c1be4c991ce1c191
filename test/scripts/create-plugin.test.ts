import { execFile } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { cp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const shell = process.platform === 'win32';
const root = fileURLToPath(new URL('../../', import.meta.url));

/** A workspace with nothing in it but core and what a plugin needs to be made. */
let copy: string;

beforeAll(async () => {
  copy = await realpath(mkdtempSync(join(tmpdir(), 'gradware-workspace-')));
  const settings = [
    'package.json',
    'tsconfig.base.json',
    'biome.json',
    'vitest.config.ts',
    '.gitignore',
  ];
  for (const file of [...settings, 'pnpm-workspace.yaml', 'pnpm-lock.yaml'])
    copyFileSync(join(root, file), join(copy, file));
  await cp(join(root, 'scripts'), join(copy, 'scripts'), { recursive: true });
  const core = join(root, 'packages/core');
  await cp(core, join(copy, 'packages/core'), {
    recursive: true,
    preserveTimestamps: true, // tsc takes it for built
    filter: (path) => !path.startsWith(join(core, 'node_modules')),
  });
  mkdirSync(join(copy, 'packages/plugins'));
  for (const folder of ['', 'packages/core/'])
    symlinkSync(
      join(root, `${folder}node_modules`),
      join(copy, `${folder}node_modules`),
      'junction',
    );
  await run('git', ['init', '--quiet'], { cwd: copy });
}, 240_000);

afterAll(() => rmSync(copy, { recursive: true, force: true }));

const create = (...args: readonly string[]) =>
  run(process.execPath, ['scripts/create-plugin.mjs', ...args], { cwd: copy });

const command = (name: string, ...args: readonly string[]) =>
  run(join(copy, 'node_modules/.bin', name), args, { cwd: copy, shell });

/** Every file of the copy with what is in it, but for what is linked. */
function contents(folder = copy): Readonly<Record<string, string>> {
  const entries = readdirSync(folder, { withFileTypes: true }).filter(
    ({ name }) => !['node_modules', 'dist', '.git', 'core'].includes(name),
  );
  return Object.fromEntries(
    entries.flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory()
        ? Object.entries(contents(path))
        : [[path, readFileSync(path, 'utf8')]];
    }),
  );
}

test('makes a package that is tested, typed and formatted, and touches nothing else', async () => {
  const name = 'gradient-scale';
  const own = join(copy, 'packages/plugins', name);
  const before = contents();
  const { stdout } = await create(name, '--no-install');
  expect(stdout).toContain(`packages/plugins/${name} is made`);
  const after = contents();
  const added = Object.keys(after).filter((path) => !(path in before));
  expect(added.every((path) => path.startsWith(own))).toBe(true);
  expect(added.map((path) => path.slice(own.length + 1)).sort()).toEqual([
    'README.md',
    'package.json',
    ...['gradient-scale.test.ts', 'gradient-scale.ts'].map((file) => join('src', file)),
    'tsconfig.json',
  ]);
  expect(Object.fromEntries(Object.entries(after).filter(([path]) => path in before))).toEqual(
    before,
  );
  for (const path of added) expect(after[path]).not.toMatch(/\{\{|\}\}/);

  // What `pnpm install` does.
  mkdirSync(join(own, 'node_modules/@gradware'), { recursive: true });
  symlinkSync(join(copy, 'packages/core'), join(own, 'node_modules/@gradware/core'), 'junction');
  await command('biome', 'ci', '--error-on-warnings', 'packages/plugins');
  await command('tsc', '-b', `packages/plugins/${name}`);
  const { gradientScale } = await import(pathToFileURL(join(own, `dist/${name}.js`)).href);
  expect(gradientScale({ factor: 2 }).name).toBe(name);
  const tested = await command('vitest', 'run', `packages/plugins/${name}`);
  expect(tested.stdout).toMatch(/4 passed/);
}, 120_000);

test.each([
  [[], 'Which name?'],
  [['Norm'], '"Norm" is no name'],
  [['../norm'], 'is no name'],
  [['norm--clip'], 'is no name'],
  [['plugin-norm'], 'Leave out "plugin-": norm'],
  [['delete'], 'JavaScript keeps the name "delete"'],
  [['constructor'], 'JavaScript keeps the name "constructor"'],
  [['parse-int'], 'JavaScript keeps the name "parse-int"'],
  [['test'], '"test" would hide'],
  [['define-plugin'], '"define-plugin" would hide'],
  [['expect-numbers'], '"expect-numbers" would hide'],
  [['steps'], '"steps" would hide'],
  [['twice'], 'packages/plugins/twice is there already'],
  [['a', 'b'], 'What is "b"?'],
  [['a', '--force'], 'What is "--force"?'],
])('refuses %o', async (args, problem) => {
  mkdirSync(join(copy, 'packages/plugins/twice'), { recursive: true });
  await expect(create(...args)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining(problem),
  });
  expect(readdirSync(join(copy, 'packages/plugins/twice'))).toEqual([]);
  expect(existsSync(join(copy, 'packages/plugins/a'))).toBe(false);
});
