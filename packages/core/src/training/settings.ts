import { GradwareError } from '../errors.js';
import { nearest } from '../options/nearest.js';
import type { LiveSettings } from '../plugins/registry.js';
import type { Setting } from '../schedules/schedule.js';
import type { ParameterGroup } from '../step/update.js';
import type { TrainingSession } from './api.js';

/** Settings by `<id>.<option>`: of the plugins, of the optimizer, and the learning rate. A change reaches every
 *  compiled step, because the steps read them from here. */
export function createSettings(
  live: LiveSettings,
  { plugins, ids, optimizer }: ParameterGroup,
): TrainingSession['settings'] {
  plugins.forEach((plugin, i) => {
    for (const [name, setting] of Object.entries(plugin.settings ?? {}))
      live.set(`${ids[i]}.${name}`, { setting, kind: plugin.kinds?.[name] });
  });
  for (const [name, setting] of Object.entries(optimizer.settings))
    live.set(`${optimizer.name}.${name}`, { setting, kind: undefined });

  function entryOf(name: string) {
    const entry = live.get(name);
    if (entry !== undefined) return entry;
    const near = nearest(name, live.keys());
    throw new GradwareError('INVALID_OPTION', `There is no setting "${name}"`, {
      remedy:
        near.length > 0
          ? `Did you mean ${near.join(' or ')}?`
          : `There are ${[...live.keys()].join(', ')}.`,
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
          `${name} must be ${entry.kind?.describe ?? 'a number'}, not ${value}`,
        );
      entry.setting = value;
    },
  };
}
