/** What can be registered with the container: gradient plugins in chain order, an optimizer, a schedule (or number)
 *  for the learning rate, a Runtime in place of the bound one, a Logger for warnings. Symbol.for: two copies of core
 *  agree on them. */
export const GRADIENT_PLUGIN = Symbol.for('@gradware/GRADIENT_PLUGIN');
export const OPTIMIZER = Symbol.for('@gradware/OPTIMIZER');
export const SCHEDULE = Symbol.for('@gradware/SCHEDULE');
export const RUNTIME = Symbol.for('@gradware/RUNTIME');
export const LOGGER = Symbol.for('@gradware/LOGGER');

/** Where warnings go. */
export interface Logger {
  warn(message: string): void;
}
