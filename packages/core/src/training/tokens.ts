import type { Optimizer } from '../optimizers/optimizer.js';
import type { GradientPlugin } from '../plugins/plugin.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Setting } from '../schedules/schedule.js';

/** What can be registered with the container. Symbol.for: two copies of core agree on them. */
export const GRADIENT_PLUGIN = Symbol.for('@gradware/GRADIENT_PLUGIN');
export const OPTIMIZER = Symbol.for('@gradware/OPTIMIZER');
export const SCHEDULE = Symbol.for('@gradware/SCHEDULE');
export const RUNTIME = Symbol.for('@gradware/RUNTIME');
export const LOGGER = Symbol.for('@gradware/LOGGER');

/** Where warnings go. */
export interface Logger {
  warn(message: string): void;
}

/** What each token stands for. */
export interface Registrations {
  readonly [GRADIENT_PLUGIN]: GradientPlugin;
  readonly [OPTIMIZER]: Optimizer;
  readonly [SCHEDULE]: Setting;
  readonly [RUNTIME]: Runtime;
  readonly [LOGGER]: Logger;
}
