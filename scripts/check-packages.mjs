// Packs every publishable package and lets publint and attw judge the tarballs, not the source folders.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack } from './pack.mjs';
import { root } from './pnpm.mjs';

const judges = [
  { name: 'publint', hasTypes: false, args: (tarball) => ['run', tarball, '--strict'] },
  {
    name: 'attw',
    hasTypes: true,
    args: (tarball) => [tarball, '--profile', 'esm-only', '--no-emoji', '--format', 'ascii'],
  },
];

function accepts({ name, args }, tarball) {
  const command = join(root, 'node_modules/.bin', name);
  const windows = process.platform === 'win32';
  return spawnSync(command, args(tarball), { stdio: 'inherit', shell: windows }).status === 0;
}

const folder = mkdtempSync(join(tmpdir(), 'gradware-packages-'));
try {
  const refusals = pack(folder).flatMap(({ name, tarball, library }) =>
    judges
      .filter(({ hasTypes }) => library || !hasTypes) // attw has nothing to say about a mere command
      .filter((judge) => !accepts(judge, tarball))
      .map((judge) => `${judge.name} refuses ${name}`),
  );
  for (const refusal of refusals) console.error(refusal);
  process.exitCode = refusals.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
