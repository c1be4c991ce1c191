import type { FileAccess } from '../../runtime/runtime.js';
import type { Trainable } from '../source/load.js';
import type { Inspection, InspectOptions } from './inspect.js';

/** Reads a model, or training artifacts, and says what would train and what stands in the way. Nothing is run.
 *  @throws GradwareError FILE, INVALID_MODEL, INVALID_CHECKPOINT, UNKNOWN_PARAMETER */
export async function inspectModel(
  files: FileAccess,
  given: Trainable,
  options: InspectOptions = {},
): Promise<Inspection> {
  // Pages that only train do without it.
  const { inspect } = await import('./inspect.js');
  return inspect(files, given, options);
}
