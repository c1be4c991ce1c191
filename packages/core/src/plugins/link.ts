import type { Value } from '../graph/value.js';
import { describeInner } from './check-chain.js';
import type { ChainEnvironment } from './environment.js';
import { type ParameterInfo, selectParameters } from './match.js';
import type { GradientPlugin } from './plugin.js';
import { stepScalar } from './registry.js';

/** A plugin at its place in the chain. */
export interface Link {
  readonly plugin: GradientPlugin;
  readonly id: string;
  readonly place: number;
  /** What messages call it. */
  readonly where: string;
  /** The parameters that it works on. */
  readonly selected: ReadonlySet<string>;
  /** When it works, and everything around it; its state rests otherwise. */
  readonly active: Value | undefined;
  /** When it works itself: what it does is masked by that. */
  readonly mask: Value | undefined;
  readonly isActive: (step: number) => boolean;
}

function isActiveAt({ from = 0, until = Number.POSITIVE_INFINITY, every = 1 }: GradientPlugin) {
  return (step: number) => step >= from && step < until && (step - from) % every === 0;
}

/** Finds out when a plugin works, and on which of these parameters. */
export function linkOf(
  { builder, registry }: ChainEnvironment,
  {
    plugin,
    id,
    place,
    where,
    parameters,
  }: Pick<Link, 'plugin' | 'id' | 'place' | 'where'> & {
    readonly parameters: readonly ParameterInfo[];
  },
): Link {
  const isActive = isActiveAt(plugin);
  const masked =
    plugin.from !== undefined || plugin.until !== undefined || plugin.every !== undefined;
  const flag = (step: number) => (isActive(step) ? 1 : 0);
  const mask = masked ? stepScalar(builder, registry, `${id}.active`, 'bool', flag) : undefined;
  return {
    ...{ plugin, id, place, where },
    selected: new Set(selectParameters(parameters, plugin, where).map(({ name }) => name)),
    active: mask,
    mask,
    isActive,
  };
}

/** A plugin that another applies: it stands at the other's place, and rests when that rests. */
export function nestedLink(
  environment: ChainEnvironment,
  outer: Link,
  plugin: GradientPlugin,
  gradients: readonly Value[],
): Link {
  const { id, place, where, active } = outer;
  const { And } = environment.builder.op;
  const name = plugin.id ?? plugin.name;
  const own = linkOf(environment, {
    ...{ plugin, id: `${id}/${name}`, place },
    where: describeInner(plugin, where),
    parameters: gradients.map(({ parameter = '', shape }) => ({ name: parameter, shape })),
  });
  return {
    ...own,
    active: active && own.active ? And(active, own.active) : (own.active ?? active),
    isActive: (step) => outer.isActive(step) && own.isActive(step),
  };
}
