import type { Optimizer } from '../optimizers/optimizer.js';
import type { GradientPlugin } from '../plugins/plugin.js';
import type { Setting } from '../schedules/schedule.js';

/** Plugins in order, and their ids. */
export interface ChainPlan {
  readonly plugins: readonly GradientPlugin[];
  readonly ids: readonly string[];
}

/** Parameters that share an optimizer and a learning rate, and have a chain of their own. */
export interface ParameterGroup {
  /** Empty for the group of all that is in no other. */
  readonly name: string;
  readonly parameters: readonly string[];
  /** Its own plugins, which come after those that work on all. */
  readonly chain: ChainPlan;
  readonly optimizer: Optimizer;
  /** Undefined where it is the session's. */
  readonly learningRate: Setting | undefined;
}

/** What the settings of a group begin with. */
export function groupPrefix(name: string): string {
  return name === '' ? '' : `${name}/`;
}

/** What the state of a group's optimizer begins with, in checkpoints. */
export function optimizerPrefix(name: string): string {
  return name === '' ? 'optimizer/' : `optimizer/@${name}/`;
}
