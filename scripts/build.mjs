// Type-checks and builds every TypeScript project of the workspace, each after those it refers to. A new plugin is
// found by its tsconfig.json: nobody has to list it.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './pnpm.mjs';

const parents = ['packages', 'packages/plugins', 'models', '.'];
const skipped = new Set(['node_modules', 'dist']);

const projects = parents
  .flatMap((parent) =>
    readdirSync(join(root, parent), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !skipped.has(entry.name))
      .map((entry) => join(parent, entry.name)),
  )
  .filter((folder) => existsSync(join(root, folder, 'tsconfig.json')));

const command = join(root, 'node_modules/.bin/tsc');
const windows = process.platform === 'win32';
const { status } = spawnSync(command, ['-b', ...projects], {
  cwd: root,
  stdio: 'inherit',
  shell: windows,
});
process.exitCode = status ?? 1;
