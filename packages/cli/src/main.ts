#!/usr/bin/env node
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitCodes } from './commands/context.js';
import { terminalOf } from './output/terminal.js';
import { readManifest } from './plugins/find.js';
import { run } from './program.js';

const abort = new AbortController();

/** The first asks to stop after the step in progress; the second does not wait. */
function interrupt(): void {
  if (abort.signal.aborted) process.exit(exitCodes.interrupted);
  abort.abort();
}

process.on('SIGINT', interrupt);
process.on('SIGTERM', interrupt);
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever reads our output has had enough, as in `gradware inspect model.onnx | head`.
  if (error.code === 'EPIPE') process.exit(exitCodes.success);
  process.stderr.write(`error: The output cannot be written: ${error.message}\n`);
  process.exit(exitCodes.failure);
});
// Nowhere is left to say so.
process.stderr.on('error', () => process.exit(exitCodes.failure));

const { version } = readManifest(dirname(dirname(fileURLToPath(import.meta.url))));
process.exitCode = await run(
  process.argv.slice(2),
  {
    out: terminalOf(process.stdout),
    err: terminalOf(process.stderr),
    cwd: process.cwd(),
    signal: abort.signal,
  },
  version ?? 'unknown',
);
