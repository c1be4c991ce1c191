// node scripts/pack.mjs <folder>: packs every publishable package into the folder, as `pnpm publish`
// would, and prints [{ name, tarball, library }, ...] as JSON. A library has exports, a command has not.
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pnpm } from './pnpm.mjs';

const publishable = () =>
  JSON.parse(pnpm(['--recursive', 'ls', '--json', '--depth', '-1'])).filter((it) => !it.private);

export function pack(destination) {
  const folder = resolve(destination);
  mkdirSync(folder, { recursive: true });
  return publishable().map(({ name, version, path }) => {
    const tarball = join(folder, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
    pnpm(['pack', '--out', tarball], { cwd: path });
    const { exports } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
    return { name, tarball, library: exports !== undefined };
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [destination] = process.argv.slice(2);
  if (destination === undefined) throw new Error('usage: node scripts/pack.mjs <folder>');
  process.stdout.write(`${JSON.stringify(pack(destination), null, 2)}\n`);
}
