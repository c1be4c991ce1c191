import {
  commonOptions,
  type GradientPlugin,
  GradwareError,
  type Optimizer,
  type Options,
  parseSchedule,
  type Setting,
} from '@gradware/core';
import type { OptionValue, PartChoice, PluginChoice } from '../shared/catalogue.js';
import { optimizerFactories, pluginFactories } from './catalogue.js';
import { probe, probeIds } from './probe.js';

/** A number, or a schedule as it is written: `cosine(0.01, 0, 500)`.
 *  @throws GradwareError INVALID_OPTION */
export function readSetting(value: OptionValue): Setting {
  if (typeof value === 'number') return value;
  const text = String(value).trim();
  if (/^[+-]?inf(inity)?$/i.test(text))
    return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return parseSchedule(text);
}

function readConstant(value: OptionValue, accepts: (value: unknown) => boolean): unknown {
  if (typeof value !== 'string') return value;
  const number = Number(value);
  if (value.trim() !== '' && !Number.isNaN(number) && accepts(number)) return number;
  const list = value.split(',').map((part) => part.trim());
  return list.length > 1 && accepts(list) ? list : value;
}

type Given = Readonly<Record<string, never>>;

function readOptions(choice: PartChoice, declared: Options): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(choice.options)) {
    const option = declared[name];
    // A name that is not declared is refused by the factory, with the nearest that is.
    given[name] =
      option?.role === 'setting'
        ? readSetting(value)
        : readConstant(value, (one) => option?.kind.accepts(one) ?? false);
  }
  return given;
}

function unknown(what: string, name: string): never {
  throw new GradwareError('UNKNOWN_PLUGIN', `There is no ${what} "${name}" on this page`);
}

function makePlugin(choice: PartChoice & { readonly inner?: PartChoice | undefined }, id?: string) {
  const factory = pluginFactories.get(choice.name) ?? unknown('plugin', choice.name);
  const { options } = factory.definition;
  const given = readOptions(choice, { ...options, ...commonOptions });
  if (choice.inner !== undefined) {
    const inner = makePlugin(choice.inner);
    const place = Object.entries(options).find(([, { kind }]) => kind.accepts(inner));
    if (place !== undefined) given[place[0]] = inner;
  }
  if (id !== undefined) given.id = id;
  return factory(given as Given);
}

/** The id of each choice: its name, then name#2, name#3, ...: as the session gives them. */
export function idsOf(chain: readonly PluginChoice[]): Readonly<Record<string, string>> {
  const counts = new Map<string, number>();
  return Object.fromEntries(
    chain.map(({ key, name }) => {
      const count = (counts.get(name) ?? 0) + 1;
      counts.set(name, count);
      return [key, count === 1 ? name : `${name}#${count}`];
    }),
  );
}

/** The chain between two probes.
 *  @throws GradwareError INVALID_OPTION, with the plugin */
export function makeChain(chain: readonly PluginChoice[], keep: boolean): GradientPlugin[] {
  const ids = idsOf(chain);
  return [
    probe({ id: probeIds.before, keep }),
    ...chain.map((choice) => makePlugin(choice, ids[choice.key])),
    probe({ id: probeIds.after, keep }),
  ];
}

/** @throws GradwareError INVALID_OPTION */
export function makeOptimizer(choice: PartChoice): Optimizer {
  const factory = optimizerFactories.get(choice.name) ?? unknown('optimizer', choice.name);
  return factory(readOptions(choice, factory.definition.options) as Given);
}
