import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  commonOptions,
  type GradientPlugin,
  type Option,
  type Options,
  type PluginDefinition,
  type PluginRole,
} from '@gradware/core';

const folder = fileURLToPath(new URL('../../packages/plugins/', import.meta.url));

/** What the packages in packages/plugins are, by what they themselves say. */
interface Plugin {
  /** Of its folder. */
  readonly name: string;
  readonly factory: string;
  readonly make: (options?: Readonly<Record<string, unknown>>) => GradientPlugin;
  readonly definition: PluginDefinition<Options>;
  readonly readme: string;
  /** Papers that its README names. */
  readonly papers: readonly string[];
}

/** The roles in the usual order of a chain. */
const roles: Readonly<Record<PluginRole | 'none', string>> = {
  unscale: 'Scale the loss',
  guard: 'Guard',
  accumulate: 'Accumulate',
  reduce: 'Reduce over workers',
  compress: 'Compress',
  regularise: 'Regularise',
  shape: 'Shape',
  clip: 'Clip',
  noise: 'Add noise',
  decay: 'Decay the weights',
  hold: 'Hold still',
  none: 'Others',
};

function manifestOf(name: string) {
  return JSON.parse(readFileSync(join(folder, name, 'package.json'), 'utf8'));
}

async function loadPlugin(name: string): Promise<Plugin> {
  const own = join(folder, name);
  const manifest = manifestOf(name);
  const source = pathToFileURL(join(own, manifest.exports['.']['@gradware/source'])).href;
  const module: Readonly<Record<string, unknown>> = await import(source);
  const made = Object.entries(module).filter(
    (entry): entry is [string, Plugin['make'] & Pick<Plugin, 'definition'>] =>
      typeof entry[1] === 'function' && 'definition' in entry[1],
  );
  const [only] = made;
  if (only === undefined || made.length > 1)
    throw new Error(`${name} exports ${made.length} plugins`);
  const [factory, make] = only;
  const { definition } = make;
  const readme = readFileSync(join(own, 'README.md'), 'utf8');
  const links = readme.match(/\[[^\][]+\]\(https?:\/\/(arxiv\.org|doi\.org)\/[^)]+\)/g) ?? [];
  return { name, factory, make, definition, readme, papers: [...new Set(links)] };
}

/** All plugin packages that are not private, in the order of their folders. */
export function loadPlugins(): Promise<readonly Plugin[]> {
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .filter((name) => manifestOf(name).private !== true);
  return Promise.all(names.sort().map(loadPlugin));
}

function print(value: unknown): string {
  return value === Number.POSITIVE_INFINITY ? '∞' : String(value);
}

function optionCell([key, { role, fallback }]: readonly [string, Option]): string {
  const star = role === 'setting' ? '\\*' : '';
  return `\`${key}\`${star}${fallback === undefined ? '' : ` ${print(fallback)}`}`;
}

const row = (...cells: readonly string[]) =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;

/** docs/PLUGINS.md, as it should be. */
export async function pluginsTable(): Promise<string> {
  const plugins = await loadPlugins();
  const sections = Object.entries(roles).flatMap(([role, title]) => {
    const own = plugins.filter(({ definition }) => (definition.role ?? 'none') === role);
    if (own.length === 0) return [];
    const rows = own.map(({ name, definition, papers }) =>
      row(
        `[\`${definition.name}\`](../packages/plugins/${name})`,
        definition.description ?? '',
        Object.entries(definition.options).map(optionCell).join(', '),
        papers.join(', '),
      ),
    );
    return [
      '',
      `## ${title}`,
      '',
      row('plugin', 'what it does', 'options', 'paper'),
      '|---|---|---|---|',
      ...rows,
    ];
  });
  const common = Object.entries<Option>(commonOptions).map(([key, { kind, help }]) =>
    row(`\`${key}\``, kind.describe, help),
  );
  return `${[
    '# Gradient plugins',
    '',
    `${plugins.length} packages, \`@gradware/plugin-<name>\`, in the usual order of a chain; each can be installed alone. An option is followed by its default; \\* marks those that may be a schedule and change while training. On the command line, options are written in kebab-case: \`--plugin norm-clip:max-norm=1\`. Formulas, metrics and costs are in the README of each package.`,
    '',
    'This page is made from the definitions of the plugins: `pnpm docs:plugins`.',
    ...sections,
    '',
    '## Every plugin',
    '',
    row('option', 'what it takes', 'what for'),
    '|---|---|---|',
    ...common,
    '',
    'In code, `include` and `exclude` may also hold functions: `({ name, shape }) => shape.length > 1`.',
  ].join('\n')}\n`;
}
