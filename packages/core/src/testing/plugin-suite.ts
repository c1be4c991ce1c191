import type { CommonOptions } from '../plugins/plugin.js';
import { type Check, runAll } from './checks.js';
import { formChecks } from './plugin-form-checks.js';
import { gradientChecks } from './plugin-gradient-checks.js';
import { stateChecks } from './plugin-state-checks.js';
import { createTrial, type PluginMaker, type PluginTestOptions } from './plugin-trial.js';

/** Everything that a plugin has to keep to, as single checks: for a test runner's own table of tests. */
export function pluginChecks<Given>(
  make: PluginMaker<Given>,
  options: PluginTestOptions<NoInfer<Given>> = {},
): readonly Check[] {
  const trial = createTrial(make, options);
  return [...gradientChecks(trial), ...stateChecks(trial), ...formChecks(trial)];
}

/** Tries a plugin on everything that the plugin contract asks for: shapes and types kept; zero, empty, scalar, huge
 *  and tiny gradients; NaN and infinity; the seed; saved state; include and exclude; from, until and every; nothing
 *  changed that was handed in; the same in one run of many steps; transform = decode ∘ encode.
 *
 *      test('keeps to the contract', () => testPlugin(normClip, { options: { maxNorm: 1 } }));
 *
 *  Needs no particular test runner. It takes a second or so.
 *  @throws GradwareError PLUGIN_CONTRACT with every check that fails */
export async function testPlugin<Given>(
  make: PluginMaker<Given>,
  options: PluginTestOptions<NoInfer<Given>> = {},
): Promise<void> {
  const { name } = make({ ...options.options } as Given & CommonOptions);
  await runAll(`The plugin ${name}`, pluginChecks(make, options));
}
