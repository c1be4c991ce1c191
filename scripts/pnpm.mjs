// Calls the pnpm that runs this script; without one, the version that package.json pins.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../', import.meta.url));

const { devEngines } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));

const windows = process.platform === 'win32';
const inPnpm = process.env.npm_config_user_agent?.startsWith('pnpm/') ?? false;
const [command, ...first] = inPnpm
  ? ['pnpm']
  : ['npx', '-y', `pnpm@${devEngines.packageManager.version}`];

/** Runs pnpm in a folder and returns what it wrote to standard output. */
export const pnpm = (args, { cwd = root } = {}) =>
  execFileSync(command, [...first, ...args], {
    cwd,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    shell: windows,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
