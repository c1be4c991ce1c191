import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { cp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const shell = process.platform === 'win32';
const root = fileURLToPath(new URL('../../', import.meta.url));
const model = join(root, 'models/digits/mlp.onnx');

const plugins = [
  { name: 'norm-clip', factory: 'normClip', options: { maxNorm: 1 }, metrics: ['norm-clip.norm'] },
  { name: 'value-clip', factory: 'valueClip', options: { max: 0.1 }, metrics: [] },
  { name: 'quantize', factory: 'quantize', options: { bits: 8 }, metrics: ['quantize.bytes'] },
  { name: 'l2', factory: 'l2', options: { lambda: 1e-4 }, metrics: [] },
];

interface Packed {
  readonly name: string;
  readonly tarball: string;
}

let folder: string;
let packed: readonly Packed[];

const tarballOf = (name: string) => {
  const found = packed.find((it) => it.name === name);
  if (found === undefined) throw new Error(`${name} was not packed`);
  return found.tarball;
};

beforeAll(async () => {
  folder = await realpath(mkdtempSync(join(tmpdir(), 'gradware-alone-')));
  const { stdout } = await run(process.execPath, ['scripts/pack.mjs', folder], { cwd: root });
  packed = JSON.parse(stdout);
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Copies onnxruntime-node out of the workspace, with the binaries of this platform only. */
async function copyRuntime(project: string): Promise<void> {
  const source = await realpath(join(root, 'packages/core/node_modules/onnxruntime-node'));
  const binaries = join(source, 'bin/napi-v6');
  const ours = join(binaries, process.platform, process.arch);
  await cp(source, join(project, 'node_modules/onnxruntime-node'), {
    recursive: true,
    filter: (path) => !path.startsWith(binaries) || ours.startsWith(path) || path.startsWith(ours),
  });
}

/** An empty project with core, one plugin and onnxruntime-node, and nothing else of ours. */
async function install(plugin: string): Promise<string> {
  const project = mkdtempSync(join(folder, 'project-'));
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  const tarballs = [tarballOf('@gradware/core'), tarballOf(plugin)];
  const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  await run('npm', ['install', ...flags, ...tarballs], { cwd: project, shell });
  await copyRuntime(project);
  copyFileSync(new URL('train-alone.mjs', import.meta.url), join(project, 'train-alone.mjs'));
  return project;
}

test.each(plugins)(
  'plugin-$name trains when installed alone next to core',
  async (plugin) => {
    const name = `@gradware/plugin-${plugin.name}`;
    const project = await install(name);
    expect(readdirSync(join(project, 'node_modules/@gradware')).sort()).toEqual(
      ['core', `plugin-${plugin.name}`].sort(),
    );
    const args = ['train-alone.mjs', model, name, plugin.factory, JSON.stringify(plugin.options)];
    const { stdout } = await run(process.execPath, args, { cwd: project });
    const { losses, metrics } = JSON.parse(stdout);
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(losses.at(-1)).toBeLessThan(losses[0] / 2);
    expect(metrics).toEqual(expect.arrayContaining(plugin.metrics));
    rmSync(project, { recursive: true, force: true });
  },
  120_000,
);
