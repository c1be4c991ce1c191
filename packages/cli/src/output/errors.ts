import { inFlags } from './flags.js';
import type { Terminal } from './terminal.js';
import { style } from './terminal.js';

/** What an error says: the message holds place and remedy already where it is one of ours. */
interface Described {
  readonly code: string;
  readonly message: string;
  readonly where?: string;
  readonly remedy?: string;
}

/** By name: another copy of core may have thrown it. */
function isOurs(error: unknown): error is Error & Described {
  return error instanceof Error && error.name === 'GradwareError';
}

export function describeError(error: unknown): Described {
  if (isOurs(error)) {
    const { code, message, where, remedy } = error;
    return {
      code,
      message: inFlags(message),
      ...(where !== undefined && { where: inFlags(where) }),
      ...(remedy !== undefined && { remedy: inFlags(remedy) }),
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'UNEXPECTED', message };
}

export function printError(terminal: Terminal, error: unknown, verbose: boolean): void {
  const { message } = describeError(error);
  terminal.write(`${style(terminal, 'red', 'error:')} ${message}\n`);
  if (verbose && error instanceof Error) {
    terminal.write(`${error.stack ?? ''}\n`);
    if (error.cause instanceof Error) terminal.write(`caused by ${error.cause.stack ?? ''}\n`);
  } else if (!isOurs(error)) {
    terminal.write('  → This was not foreseen; --verbose shows where it happened.\n');
  }
}
