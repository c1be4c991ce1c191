import { GradwareError, messageOf } from '../errors.js';

/** One thing that a suite looks at; `run` throws with what it found. */
export interface Check {
  readonly name: string;
  run(): Promise<void>;
}

/** Fails a check. */
export function fail(problem: string): never {
  throw new Error(problem);
}

/** Runs all checks, one after the other, and reports every one that fails.
 *  @throws GradwareError PLUGIN_CONTRACT */
export async function runAll(owner: string, checks: readonly Check[]): Promise<void> {
  const failed: string[] = [];
  for (const { name, run } of checks) {
    try {
      await run();
    } catch (error) {
      failed.push(`${name}: ${messageOf(error)}`);
    }
  }
  if (failed.length === 0) return;
  throw new GradwareError(
    'PLUGIN_CONTRACT',
    `${owner} fails ${failed.length} of ${checks.length} checks:\n- ${failed.join('\n- ')}`,
  );
}
