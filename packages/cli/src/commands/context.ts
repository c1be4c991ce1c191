import type { Terminal } from '../output/terminal.js';

/** What a command has of the world around it. */
export interface Context {
  readonly out: Terminal;
  readonly err: Terminal;
  readonly cwd: string;
  /** Aborted when the user wants to stop. */
  readonly signal: AbortSignal;
}

/** How a command ended: the exit code of the process. */
export const exitCodes = { success: 0, failure: 1, usage: 2, interrupted: 130 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
