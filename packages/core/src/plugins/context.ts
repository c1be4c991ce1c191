import { GradwareError } from '../errors.js';
import { uniform } from '../graph/random.js';
import { elementCount, type Value } from '../graph/value.js';
import { didYouMean } from '../options/nearest.js';
import type { ChainEnvironment } from './environment.js';
import type { Link } from './link.js';
import type { PluginContext } from './plugin.js';
import { type Hold, liveSetting, ownState } from './registry.js';

/** What a hook is given.
 *  @param metrics where its metrics go
 *  @param apply runs another plugin inside of this one */
export function createContext(
  environment: ChainEnvironment,
  link: Link,
  metrics: Map<string, Value>,
  apply: PluginContext['apply'],
): PluginContext {
  const { builder, registry, step, seed, learningRate, wantsMetric, group } = environment;
  const { op } = builder;
  const { plugin, id, place, active, where } = link;
  const names = environment.parameters.map(({ name }) => name);
  const scope = group && new Set(names);
  const draws = new Map<string, number>();

  function concerned(gradients: readonly Value[] | undefined): ReadonlySet<string> | undefined {
    const some = new Set(gradients?.map((gradient) => gradient.parameter ?? '') ?? names);
    // What holds every parameter holds also what belongs to none: the optimizer's count.
    return group !== undefined || !names.every((name) => some.has(name)) ? some : undefined;
  }

  function held(when: Value, gradients?: readonly Value[]): Hold {
    if (when.type !== 'bool' || when.shape.length > 0)
      throw new GradwareError(
        'PLUGIN_CONTRACT',
        `A condition must be a bool scalar, not ${when.type}[${when.shape}]`,
        { where, remedy: 'Compare one number of the gradients: op.Greater(op.globalNorm(g), 1).' },
      );
    return {
      owner: id,
      when: active === undefined ? when : op.And(active, when),
      place,
      parameters: concerned(gradients),
    };
  }

  return {
    op,
    step,
    learningRate,
    learningRateOf: (gradient) => environment.learningRateOf(gradient.parameter ?? ''),
    parameter: (gradient) => builder.value(gradient.parameter ?? gradient.name),
    state: (key, options) =>
      ownState(builder, registry, { prefix: `plugin/${id}.`, place, scope, active }, key, options),
    setting(name) {
      const setting = plugin.settings?.[name];
      if (setting === undefined)
        throw new GradwareError('PLUGIN_CONTRACT', `There is no setting "${name}"`, {
          where,
          remedy: didYouMean(name, Object.keys(plugin.settings ?? {})),
        });
      const kind = plugin.kinds?.[name];
      return liveSetting(environment, `${id}.${name}`, { setting, kind });
    },
    apply,
    wait: (when, gradients) => registry.waits.push(held(when, gradients)),
    drop: (when, gradients) => registry.drops.push(held(when, gradients)),
    stop: (when, reason) => registry.stops.push({ ...held(when), reason }),
    metric(key, value) {
      const name = `${id}.${key}`;
      if (elementCount(value.shape) !== 1)
        throw new GradwareError(
          'PLUGIN_CONTRACT',
          `The metric "${key}" must be one number, not ${value.type}[${value.shape}]`,
          { where, remedy: 'Report its mean, sum or norm: op.mean(value).' },
        );
      if (wantsMetric(name)) metrics.set(name, op.cast(op.reshape(value, []), 'float32'));
    },
    random({ like, key }) {
      const owner = `${id}/${like.parameter ?? ''}`;
      const draw = draws.get(owner) ?? 0;
      if (key === undefined) draws.set(owner, draw + 1);
      return uniform(op, { shape: like.shape, seed, step, key: `${owner}/${key ?? draw}` });
    },
  };
}
