import { GradwareError } from '@gradware/core';
import type { Problem } from '../shared/protocol.js';

const outOfMemory =
  /out of memory|allocation failed|bad_alloc|Array buffer allocation|exceeds.*limit/i;

/** What went wrong, for a person. */
export function problemOf(error: unknown): Problem {
  if (error instanceof GradwareError) {
    const [message = ''] = error.message.split('\n  → ');
    return { code: error.code, message, remedy: error.remedy };
  }
  const message = error instanceof Error ? error.message : String(error);
  if (outOfMemory.test(message))
    return {
      code: 'OUT_OF_MEMORY',
      message: `There is not enough memory: ${message}`,
      remedy: 'Take a smaller batch or model, or close other tabs.',
    };
  return { code: 'RUNTIME', message, remedy: undefined };
}
