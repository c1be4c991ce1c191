// pnpm create-plugin <name>: a working, tested package in packages/plugins/<name>, from scripts/plugin-template. It
// writes nothing outside of that folder, but for pnpm-lock.yaml, which `pnpm install` brings up to date.
// --no-install leaves that to you.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pnpm, root } from './pnpm.mjs';

const template = fileURLToPath(new URL('./plugin-template/', import.meta.url));
const suffix = '.template';

/** Names that JavaScript keeps for itself. */
const reserved = new Set(
  `arguments await break case catch class const continue debugger default delete do else enum eval export extends false
  finally for function if implements import in instanceof interface let new null package private protected public
  return static super switch this throw true try typeof var void while with yield`.split(/\s+/),
);

/** Files of the template, and what they call their own: a plugin of that name would hide it. */
const files = readdirSync(template, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
  .map((entry) => join(entry.parentPath, entry.name));
const taken = new Set(
  files
    .flatMap((file) => [
      ...readFileSync(file, 'utf8').matchAll(/^import \{ (.+) \} from|const \[?(\w+)/gm),
    ])
    .flatMap(([, names, own]) => own ?? names.split(', ')),
);

const factoryName = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());

/** What is wrong with a name; undefined where nothing is. */
function problemOf(name) {
  if (name === undefined) return 'Which name? pnpm create-plugin <name>, such as gradient-scale';
  if (name.startsWith('plugin-')) return `Leave out "plugin-": ${name.slice('plugin-'.length)}`;
  if (!/^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$/.test(name))
    return `"${name}" is no name for a plugin: write words of small letters and digits with - between them`;
  if (reserved.has(factoryName(name)) || factoryName(name) in globalThis)
    return `JavaScript keeps the name "${name}" for itself`;
  if (taken.has(factoryName(name)))
    return `"${name}" would hide what the code and the test of a plugin call ${factoryName(name)}: choose another name`;
  if (existsSync(join(root, 'packages/plugins', name)))
    return `packages/plugins/${name} is there already`;
  return undefined;
}

/** Copies the template, with the name of the plugin wherever it stands for one. */
function writePackage(name, folder) {
  const words = { name, factory: factoryName(name) };
  const fill = (text) => text.replace(/\{\{(name|factory)\}\}/g, (_, word) => words[word]);
  for (const file of files) {
    const target = join(folder, fill(relative(template, file)).slice(0, -suffix.length));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, fill(readFileSync(file, 'utf8')), { flag: 'wx' });
  }
}

/** Where lines break depends on how long the name is. */
function format(folder) {
  const command = join(root, 'node_modules/.bin/biome');
  const shell = process.platform === 'win32';
  if (existsSync(command))
    execFileSync(command, ['check', '--write', folder], { cwd: root, shell, stdio: 'pipe' });
}

function create(name, install) {
  const folder = join(root, 'packages/plugins', name);
  try {
    writePackage(name, folder);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  if (install) pnpm(['install', '--prefer-offline', '--no-frozen-lockfile']);
  format(folder);
  console.log(`packages/plugins/${name} is made: it scales gradients, until you write what it should do.

  src/${name}.ts       the plugin
  src/${name}.test.ts  its test: pnpm exec vitest run packages/plugins/${name}
  README.md${' '.repeat(name.length + 5)}formula, options, an example
${install ? '' : '\nRun pnpm install before its test.\n'}
Nothing outside of the folder has to change. CONTRIBUTING.md says how to go on, and how to publish it.`);
}

const [, , ...given] = process.argv;
const flags = given.filter((word) => word.startsWith('-'));
const names = given.filter((word) => !word.startsWith('-'));
const unknown = flags.find((flag) => flag !== '--no-install') ?? names[1];
const problem =
  unknown === undefined
    ? problemOf(names[0])
    : `What is "${unknown}"? pnpm create-plugin <name> [--no-install]`;
if (problem === undefined) create(names[0], !flags.includes('--no-install'));
else {
  console.error(problem);
  process.exitCode = 1;
}
