import { posix } from 'node:path';

const onnx = ['onnx'];
const graph = ['graph', ...onnx];
const rewrites = [
  ...['plugins', 'optimizers', 'losses', 'schedules', 'artifacts'],
  ...['options', 'gradients', 'lowering', 'runtime', ...graph],
];

/** What each folder of packages/core/src may import besides itself: imports point one way. */
const knows: Readonly<Record<string, readonly string[]>> = {
  onnx: [],
  graph: onnx,
  runtime: graph,
  gradients: graph,
  lowering: graph,
  losses: ['options', ...graph],
  schedules: graph,
  options: ['schedules', ...graph],
  plugins: rewrites,
  optimizers: rewrites,
  artifacts: rewrites,
  step: rewrites,
  training: ['step', ...rewrites],
  worker: ['training', 'step', ...rewrites],
};

/** The same for the folders of packages/core/src/training; files directly in it are shared by all of them. */
const trainingKnows: Readonly<Record<string, readonly string[]>> = {
  source: [],
  execution: ['source'],
  session: ['execution', 'source'],
  generate: ['source'],
  loop: [],
  inspect: ['execution', 'generate', 'source'],
};

/** Files directly in packages/core/src: a vocabulary that all may use, and doors that may use all. */
const vocabulary = 'errors.ts';
const doors = [
  ...['index.ts', 'node.ts', 'web.ts', 'wasm.ts', 'worker.ts'],
  ...['container.ts', 'tools.ts', 'testing.ts', 'testing'],
];

const core = 'packages/core/src/';
const plugin = /^packages\/plugins\/([^/]+)\/src\//;
const compositionRoot = /^packages\/core\/src\/(node|web|wasm|(.*\/)?container)\.ts$/;
const test = /\.test\.ts$/;

const isRelative = (specifier: string) => specifier.startsWith('.');
const resolve = (file: string, specifier: string) =>
  posix.join(posix.dirname(file), specifier.replace(/\.js$/, '.ts'));
/** The first part of a path inside packages/core/src: its folder, or the file itself. */
const part = (path: string) => path.slice(core.length).split('/')[0] ?? '';

function knowsTarget(file: string, specifier: string) {
  const [from, to] = [part(file), part(resolve(file, specifier))];
  if (from === to || to === vocabulary || doors.includes(from)) return true;
  return knows[from]?.includes(to) ?? false;
}

const training = `${core}training/`;
/** The folder of training that a file lies in, if it lies in one. */
const trainingFolder = (path: string) =>
  path.startsWith(training) ? path.slice(training.length).match(/^[^/]+(?=\/)/)?.[0] : undefined;

function knowsTrainingTarget(file: string, specifier: string) {
  const [from, to] = [trainingFolder(file), trainingFolder(resolve(file, specifier))];
  if (from === undefined || to === undefined || from === to) return true;
  return trainingKnows[from]?.includes(to) ?? false;
}

interface Rule {
  readonly says: string;
  readonly appliesTo: (file: string) => boolean;
  readonly allows: (file: string, specifier: string) => boolean;
}

const rules: readonly Rule[] = [
  {
    says: 'the folders of core know each other in one direction',
    appliesTo: (file) => file.startsWith(core) && !test.test(file),
    allows: (file, specifier) => !isRelative(specifier) || knowsTarget(file, specifier),
  },
  {
    says: 'so do the folders of training',
    appliesTo: (file) => file.startsWith(training) && !test.test(file),
    allows: (file, specifier) => !isRelative(specifier) || knowsTrainingTarget(file, specifier),
  },
  {
    says: 'a relative import stays inside its package',
    appliesTo: (file) => file.startsWith('packages/'),
    allows: (file, specifier) => {
      const source = file.slice(0, file.indexOf('/src/') + '/src/'.length);
      // The address of a file, not its code.
      const isAddress = specifier.endsWith('?url');
      return !isRelative(specifier) || isAddress || resolve(file, specifier).startsWith(source);
    },
  },
  {
    says: 'core imports no other package of Gradware',
    appliesTo: (file) => file.startsWith(core),
    allows: (_, specifier) => !/^@?gradware(\/|$)/.test(specifier),
  },
  {
    says: 'a plugin imports only @gradware/core',
    appliesTo: (file) => plugin.test(file) && !test.test(file),
    allows: (_, specifier) => isRelative(specifier) || specifier === '@gradware/core',
  },
  {
    says: 'only the doors and the composition root know the container',
    appliesTo: (file) => file.startsWith('packages/') && !compositionRoot.test(file),
    allows: (_, specifier) => !/^(tsyringe|reflect-metadata)(\/|$)/.test(specifier),
  },
];

/** The rules that an import breaks. `file` is a path from the root of the workspace, with slashes. */
export const brokenBy = (file: string, specifier: string): readonly string[] =>
  rules
    .filter(({ appliesTo, allows }) => appliesTo(file) && !allows(file, specifier))
    .map(({ says }) => says);

const comments = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;
const imports = /\b(?:from|import)\s*\(?\s*['"]([^'"\n]+)['"]/g;

/** The module specifiers that a TypeScript source imports or re-exports, statically or by import(). */
export const specifiersOf = (source: string): readonly string[] =>
  [...source.replace(comments, '').matchAll(imports)].map((match) => match[1] ?? '');
