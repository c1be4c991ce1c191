import { commonOptions, type Option, type Options } from '@gradware/core';
import { Command } from 'commander';
import { kebabCase } from '../options/values.js';
import { describeError } from '../output/errors.js';
import { renderTable } from '../output/table.js';
import { style, type Terminal } from '../output/terminal.js';
import { findInstalled, type InstalledPackage, searchRoots } from '../plugins/find.js';
import { type Factory, loadPlugin } from '../plugins/resolve.js';
import { jsonLine } from '../progress/json.js';
import { type Context, type ExitCode, exitCodes } from './context.js';

interface Found extends InstalledPackage {
  readonly factory: Factory | undefined;
  /** Why it cannot be used. */
  readonly problem: string | undefined;
}

export function pluginsCommand(context: Context, done: (code: ExitCode) => void): Command {
  return new Command('plugins')
    .description('the gradient plugins that are installed, with their options')
    .argument('[names...]', 'only these')
    .option('--json', 'one JSON object a line, and nothing else', false)
    .action(async (names: readonly string[], { json }: { readonly json: boolean }) =>
      done(await listPlugins(names, json, context)),
    );
}

async function listPlugins(
  names: readonly string[],
  json: boolean,
  { out, cwd }: Context,
): Promise<ExitCode> {
  const roots = searchRoots(cwd);
  const installed = findInstalled(roots);
  for (const name of names) await loadPlugin(name, roots);
  const wanted =
    names.length === 0 ? installed : installed.filter(({ name }) => names.includes(name));
  for (const one of wanted) {
    const found = await load(one, roots);
    out.write(json ? jsonLine({ event: 'plugin', ...toJson(found) }) : describe(out, found));
  }
  if (!json) out.write(describeCommon(out));
  return exitCodes.success;
}

async function load(one: InstalledPackage, roots: readonly string[]): Promise<Found> {
  try {
    return { ...one, factory: await loadPlugin(one.name, roots), problem: undefined };
  } catch (error) {
    return { ...one, factory: undefined, problem: describeError(error).message };
  }
}

function describe(
  terminal: Terminal,
  { name, packageName, version, factory, problem }: Found,
): string {
  const head = `${style(terminal, 'bold', name)}  ${style(terminal, 'dim', `${packageName} ${version}`)}\n`;
  if (factory === undefined) return `${head}  ${style(terminal, 'red', problem ?? '')}\n\n`;
  const { description = '', options } = factory.definition;
  return `${head}  ${description}\n${describeOptions(options)}\n`;
}

function describeCommon(terminal: Terminal): string {
  return `${style(terminal, 'bold', 'every plugin')}\n${describeOptions(commonOptions)}`;
}

function describeOptions(options: Options): string {
  return renderTable(
    Object.entries(options).map(([key, option]) => [
      kebabCase(key),
      kindOf(option),
      defaultOf(option),
      option.help,
    ]),
    { indent: 4 },
  );
}

function kindOf({ role, kind }: Option): string {
  return role === 'setting' ? `${kind.describe}, or a schedule` : kind.describe;
}

function defaultOf({ fallback }: Option): string {
  return fallback === undefined ? '' : `default ${String(fallback)}`;
}

function toJson({ name, packageName, version, folder, factory, problem }: Found) {
  const { description, options = {} } = factory?.definition ?? {};
  return {
    name,
    package: packageName,
    version,
    folder,
    description,
    problem,
    options: Object.entries<Option>({ ...options, ...(factory && commonOptions) }).map(
      ([key, option]) => ({
        name: kebabCase(key),
        kind: option.kind.describe,
        schedule: option.role === 'setting',
        default: option.fallback === Number.POSITIVE_INFINITY ? 'Infinity' : option.fallback,
        help: option.help,
      }),
    ),
  };
}
