import { existsSync, statSync } from 'node:fs';
import { isAbsolute, join, resolve as resolvePath } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  commonOptions,
  didYouMean,
  type GradientPlugin,
  GradwareError,
  type Options,
  type PluginDefinition,
} from '@gradware/core';
import { resolve as resolveModule } from 'import-meta-resolve';
import { parseSpec, type Spec } from '../options/spec.js';
import { readOptions } from '../options/values.js';
import { findInstalled, readManifest } from './find.js';

/** A factory whose options are known only when it is loaded. */
export interface Factory {
  (given?: Readonly<Record<string, unknown>>): GradientPlugin;
  readonly definition: PluginDefinition<Options>;
}

const packageName = /^(@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~-][\w.~-]*$/i;

/** Makes a plugin from what `--plugin` says: `norm-clip:max-norm=1`.
 *  @throws GradwareError UNKNOWN_PLUGIN, PLUGIN_CONTRACT, INVALID_OPTION */
export async function makePlugin(
  given: string | Spec,
  roots: readonly string[],
): Promise<GradientPlugin> {
  const spec = typeof given === 'string' ? parseSpec(given) : given;
  const factory = await loadPlugin(spec.name, roots);
  const inner: GradientPlugin[] = [];
  for (const one of spec.inner) inner.push(await makePlugin(one, roots));
  const declared: Options = { ...factory.definition.options, ...commonOptions };
  return factory(readOptions(spec, declared, inner));
}

/** The plugins in the order of the chain. */
export async function makePlugins(
  specs: readonly string[],
  roots: readonly string[],
): Promise<readonly GradientPlugin[]> {
  const plugins: GradientPlugin[] = [];
  for (const spec of specs) plugins.push(await makePlugin(spec, roots));
  return plugins;
}

/** Finds a plugin: @gradware/plugin-<name>, gradware-plugin-<name>, then a path; from each of the folders.
 *  @throws GradwareError UNKNOWN_PLUGIN, PLUGIN_CONTRACT */
export async function loadPlugin(name: string, roots: readonly string[]): Promise<Factory> {
  const url = locate(name, roots);
  if (url === undefined) refuseUnknown(name, roots);
  return importPlugin(url, name);
}

function locate(name: string, roots: readonly string[]): string | undefined {
  for (const candidate of packagesFor(name))
    for (const root of roots) {
      const url = tryResolve(candidate, join(root, 'package.json'));
      if (url !== undefined) return url;
    }
  return locateFile(resolvePath(roots[0] ?? '.', name));
}

/** None for what can only be a path. */
function packagesFor(name: string): readonly string[] {
  if (name.startsWith('.') || isAbsolute(name) || !packageName.test(name)) return [];
  if (name.startsWith('@') || name.startsWith('gradware-plugin-')) return [name];
  return [`@gradware/plugin-${name}`, `gradware-plugin-${name}`];
}

/** A module, or the folder of a package. */
function locateFile(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  if (!statSync(path).isDirectory()) return pathToFileURL(path).href;
  // A package may import itself by its name: its own exports decide what that is.
  const { name } = readManifest(path);
  return name === undefined ? undefined : tryResolve(name, join(path, 'package.json'));
}

function tryResolve(specifier: string, parent: string): string | undefined {
  try {
    const url = resolveModule(specifier, pathToFileURL(parent).href);
    return existsSync(new URL(url)) ? url : undefined;
  } catch {
    return undefined;
  }
}

function refuseUnknown(name: string, roots: readonly string[]): never {
  const installed = findInstalled(roots).map((one) => one.name);
  throw new GradwareError('UNKNOWN_PLUGIN', `No plugin is named "${name}"`, {
    where: `looked for ${[...packagesFor(name), `the file ${name}`].join(', ')}`,
    remedy: didYouMean(
      name,
      installed,
      `Install it (npm install @gradware/plugin-<name>), or use one of ${installed.join(', ')}.`,
    ),
  });
}

/** @throws GradwareError PLUGIN_CONTRACT for a module that gives no plugin */
async function importPlugin(url: string, name: string): Promise<Factory> {
  let module: Readonly<Record<string, unknown>>;
  try {
    module = await import(url);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GradwareError('PLUGIN_CONTRACT', `The plugin ${name} cannot be loaded: ${reason}`, {
      where: url,
      remedy: 'Build or reinstall the plugin.',
      cause,
    });
  }
  const factories = [...new Set(Object.values(module))].filter(isFactory);
  const named = factories.filter(({ definition }) => definition.name === name);
  const [factory, ...more] = named.length > 0 ? named : factories;
  if (factory === undefined || more.length > 0)
    throw new GradwareError(
      'PLUGIN_CONTRACT',
      factory === undefined
        ? `The module of the plugin ${name} exports no plugin`
        : `The module of the plugin ${name} exports more than one: ${factories.map(({ definition }) => definition.name).join(', ')}`,
      { where: url, remedy: 'Export what definePlugin returns, one in each module.' },
    );
  return factory;
}

function isFactory(value: unknown): value is Factory {
  if (typeof value !== 'function') return false;
  const definition: unknown = Reflect.get(value, 'definition');
  if (typeof definition !== 'object' || definition === null) return false;
  const options: unknown = Reflect.get(definition, 'options');
  return typeof Reflect.get(definition, 'name') === 'string' && typeof options === 'object';
}
