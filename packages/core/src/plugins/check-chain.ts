import { GradwareError } from '../errors.js';
import { nearest } from '../options/nearest.js';
import { isFiltering, type ParameterInfo, selectParameters } from './match.js';
import type { GradientPlugin, PluginHooks } from './plugin.js';

/** Gives every plugin its id: its own, or its name, then name#2, name#3, ...
 *  @throws GradwareError INVALID_OPTION where two plugins were given one id */
export function assignIds(plugins: readonly GradientPlugin[]): readonly string[] {
  const taken = new Set<string>();
  plugins.forEach(({ id }, place) => {
    if (id === undefined) return;
    if (taken.has(id))
      throw new GradwareError('INVALID_OPTION', `Two plugins have the id "${id}"`, {
        where: `numbers ${plugins.findIndex((other) => other.id === id) + 1} and ${place + 1} in the chain`,
        remedy: 'Give one of them another id.',
      });
    taken.add(id);
  });
  return plugins.map(({ id, name }) => {
    if (id !== undefined) return id;
    let next = name;
    for (let count = 2; taken.has(next); count++) next = `${name}#${count}`;
    taken.add(next);
    return next;
  });
}

/** @throws GradwareError INVALID_OPTION where a plugin of this kind stands earlier, and there may be one only */
function refuseSecond(plugins: readonly GradientPlugin[], place: number, where: string): void {
  const plugin = plugins[place] as GradientPlugin;
  const first = plugins.findIndex(({ name }) => name === plugin.name);
  if (plugin.single !== true || first === place) return;
  throw new GradwareError('INVALID_OPTION', `A chain may have one ${plugin.name} only`, {
    where,
    remedy: `Remove it, or the one at place ${first + 1}.`,
  });
}

/** What can be known of a chain before anything is compiled.
 *  @throws GradwareError UNKNOWN_PARAMETER for a pattern that matches no parameter, INVALID_OPTION for a span of steps
 *  that is empty */
export function checkChain(
  plugins: readonly GradientPlugin[],
  parameters: readonly ParameterInfo[],
  group?: string,
): void {
  plugins.forEach((plugin, place) => {
    const where = describe(plugin, place, group);
    refuseSecond(plugins, place, where);
    if (plugin.seed !== undefined && isFiltering(plugin))
      throw new GradwareError(
        'INVALID_OPTION',
        'A plugin that replaces the gradient of the loss works on all parameters',
        { where, remedy: 'Leave out include and exclude, minRank and maxRank.' },
      );
    checkReach(plugin, parameters, where);
  });
}

/** Checks a plugin's hooks, parameters and steps, and those of the plugins inside it, which choose among its parameters. */
function checkReach(
  plugin: GradientPlugin,
  parameters: readonly ParameterInfo[],
  where: string,
): void {
  checkHooks(plugin, where);
  const selected = selectParameters(parameters, plugin, where);
  const { from = 0, until = Number.POSITIVE_INFINITY, inside = [] } = plugin;
  if (until <= from)
    throw new GradwareError(
      'INVALID_OPTION',
      `A plugin works from step ${from} until step ${until}: on none`,
      { where, remedy: 'Let `until` be greater than `from`, or leave one of them out.' },
    );
  for (const inner of inside) checkReach(inner, selected, describeInner(inner, where));
}

const hooks: Readonly<Record<keyof PluginHooks, true>> = {
  seed: true,
  transform: true,
  encode: true,
  decode: true,
  transformUpdates: true,
  transformHost: true,
};

/** Types do not reach JavaScript: a misspelt hook must not be one that is silently never called.
 *  @throws GradwareError PLUGIN_CONTRACT */
function checkHooks(plugin: GradientPlugin, where: string): void {
  const names = Object.keys(hooks) as (keyof PluginHooks)[];
  const given = names.filter((name) => plugin[name] !== undefined);
  const refuse = (problem: string, remedy: string): never => {
    throw new GradwareError('PLUGIN_CONTRACT', problem, { where, remedy });
  };
  const odd = given.find((name) => typeof plugin[name] !== 'function');
  if (odd !== undefined) refuse(`${odd} is no function`, 'Hooks are functions.');
  if (given.length === 0) {
    const [own, meant] = Object.keys(plugin)
      .map((key) => [key, nearest(key, names, 1)[0]])
      .find(([, near]) => near !== undefined) ?? [undefined, undefined];
    refuse(
      'A plugin has no hook, and does nothing',
      own === undefined
        ? `Give it one of ${names.join(', ')}.`
        : `Did you mean ${meant}, not ${own}?`,
    );
  }
  if (plugin.transform !== undefined) return;
  if ((plugin.encode === undefined) !== (plugin.decode === undefined))
    refuse(
      plugin.encode === undefined
        ? 'A plugin decodes gradients that it does not encode'
        : 'A plugin encodes gradients, and does not decode them',
      'Give it both encode and decode, or a transform.',
    );
}

/** What messages call a plugin and its place. */
export function describe(plugin: GradientPlugin, place: number, group?: string): string {
  const chain = group === undefined ? 'the chain' : `the chain of group ${group}`;
  return `plugin ${plugin.id ?? plugin.name}, number ${place + 1} in ${chain}`;
}

/** The same of a plugin that another one runs. */
export function describeInner(plugin: GradientPlugin, where: string): string {
  return `plugin ${plugin.id ?? plugin.name} inside ${where}`;
}
