import { GradwareError } from '../../errors.js';
import { didYouMean } from '../../options/nearest.js';
import { nonNegative, print } from '../../options/options.js';
import type { GradientPlugin } from '../../plugins/plugin.js';
import type { LiveSettings } from '../../plugins/registry.js';
import type { Setting } from '../../schedules/schedule.js';
import { groupPrefix } from '../../step/groups.js';
import type { TrainingSession } from '../api.js';
import type { TrainingPlan } from '../execution/groups.js';

/** Settings by `<id>.<option>`: of the plugins, of the optimizer, and the learning rate. A change reaches every
 *  compiled step, because the steps read them from here. */
export function createSettings(
  live: LiveSettings,
  { chain, groups }: Pick<TrainingPlan, 'chain' | 'groups'>,
): TrainingSession['settings'] {
  for (const { plugins, ids } of [chain, ...groups.map((group) => group.chain)])
    plugins.forEach((plugin, i) => {
      declareAll(live, plugin, ids[i] ?? plugin.name);
    });
  for (const { name: group, optimizer, learningRate } of groups) {
    const prefix = groupPrefix(group);
    if (learningRate !== undefined)
      live.set(`${prefix}learningRate`, { setting: learningRate, kind: nonNegative });
    for (const [name, setting] of Object.entries(optimizer.settings))
      live.set(`${prefix}${optimizer.name}.${name}`, { setting, kind: optimizer.kinds?.[name] });
  }

  function entryOf(name: string) {
    const entry = live.get(name);
    if (entry !== undefined) return entry;
    throw new GradwareError('INVALID_OPTION', `There is no setting "${name}"`, {
      remedy: didYouMean(name, live.keys()),
    });
  }

  return {
    get names() {
      return [...live.keys()];
    },
    get: (name) => entryOf(name).setting,
    set(name, value: Setting) {
      const entry = entryOf(name);
      if (
        typeof value !== 'function' &&
        (typeof value !== 'number' || Number.isNaN(value) || entry.kind?.accepts(value) === false)
      )
        throw new GradwareError(
          'INVALID_OPTION',
          `${name} must be ${entry.kind?.describe ?? 'a number'}, not ${print(value)}`,
        );
      entry.setting = value;
    },
  };
}

/** The settings of a plugin, and of those inside it. */
function declareAll(live: LiveSettings, plugin: GradientPlugin, id: string): void {
  for (const [name, setting] of Object.entries(plugin.settings ?? {}))
    live.set(`${id}.${name}`, { setting, kind: plugin.kinds?.[name] });
  for (const inner of plugin.inside ?? [])
    declareAll(live, inner, `${id}/${inner.id ?? inner.name}`);
}
