import type { OptionValue, PartChoice } from '../shared/catalogue.js';
import type { RunConfig } from '../shared/protocol.js';
import { optimizerFactories, pluginFactories } from './catalogue.js';
import { idsOf } from './parts.js';

/** A setting that may change while training, with its value. */
export type LiveValues = ReadonlyMap<string, OptionValue>;

type Factories = typeof optimizerFactories | typeof pluginFactories;

/** A part without the values that are live: what its step is compiled for. */
function fixedPart({ name, options }: PartChoice, factories: Factories) {
  const declared = factories.get(name)?.definition.options ?? {};
  const fixed = Object.entries(options).map(([key, value]) => {
    const option = declared[key];
    if (option?.role !== 'setting') return [key, value] as const;
    // Without a default it is there only because it was given.
    return [key, option.fallback === undefined ? 'given' : 'live'] as const;
  });
  return { name, options: fixed.filter(([, value]) => value !== 'live').sort() };
}

function livePart(prefix: string, part: PartChoice, factories: Factories) {
  const declared = factories.get(part.name)?.definition.options ?? {};
  return Object.entries(declared).flatMap(([key, { role, fallback }]) => {
    const value = part.options[key] ?? fallback;
    return role === 'setting' && value !== undefined
      ? [[`${prefix}.${key}`, value as OptionValue] as const]
      : [];
  });
}

/** Everything that the session of a configuration is opened for, as a text: where it differs, a new one is needed. */
export function structureOf(config: RunConfig): string {
  const { model, data, provider, optimizer, chain, seed, watch } = config;
  return JSON.stringify([
    ...[model, data, provider, seed, watch],
    fixedPart(optimizer, optimizerFactories),
    chain.map((choice) => [fixedPart(choice, pluginFactories), choice.inner]),
  ]);
}

/** The values that may change while training, under the names of the session's settings. */
export function liveValues({ learningRate, optimizer, chain }: RunConfig): LiveValues {
  const ids = idsOf(chain);
  return new Map<string, OptionValue>([
    ['learningRate', learningRate],
    ...livePart(optimizer.name, optimizer, optimizerFactories),
    ...chain.flatMap((choice) => livePart(ids[choice.key] ?? '', choice, pluginFactories)),
  ]);
}

/** Which state of a session fits another one of the same model: a test for keys that do not. */
export function staleState(from: RunConfig, to: RunConfig): (key: string) => boolean {
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  const keepsOptimizer = same(
    fixedPart(from.optimizer, optimizerFactories),
    fixedPart(to.optimizer, optimizerFactories),
  );
  const [oldIds, newIds] = [idsOf(from.chain), idsOf(to.chain)];
  const kept = new Set(
    from.chain.flatMap((old) => {
      const now = to.chain.find(({ key }) => key === old.key);
      const id = oldIds[old.key] ?? '';
      const fits =
        now !== undefined &&
        newIds[now.key] === id &&
        same(fixedPart(old, pluginFactories), fixedPart(now, pluginFactories)) &&
        same(old.inner, now.inner);
      return fits ? [id] : [];
    }),
  );
  return (key) => {
    if (key.startsWith('optimizer/')) return !keepsOptimizer;
    const [, id] = /^plugin\/([^./]+)[./]/.exec(key) ?? [];
    return id !== undefined && !kept.has(id);
  };
}
