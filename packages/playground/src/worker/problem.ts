import { GradwareError } from '@gradware/core';
import type { Problem } from '../shared/protocol.js';

const outOfMemory =
  /out of memory|allocation failed|bad_alloc|Array buffer allocation|exceeds.*limit/i;

const hasCode = (error: unknown, code: string) =>
  error instanceof GradwareError && error.code === code;

/** Whether the GPU went away. The session has gone back to the last state that the host has. */
export const isLost = (error: unknown): boolean => hasCode(error, 'DEVICE_LOST');

/** Whether somebody wanted it to stop. */
export const isStopped = (error: unknown): boolean => hasCode(error, 'ABORTED');

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
