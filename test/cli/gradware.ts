import { spawn } from 'node:child_process';
import { mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The built command line. */
export const main = fileURLToPath(new URL('../../packages/cli/dist/main.js', import.meta.url));
export const digits = fileURLToPath(new URL('../../models/digits/', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The lines of --json. */
  readonly events: readonly Event[];
}

export type Event = Readonly<Record<string, unknown>> & { readonly event: string };

export interface Running {
  readonly done: Promise<Outcome>;
  /** Resolves when this has been written. */
  until(text: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts the built command line as a process of its own. */
export function start(args: readonly string[], options: { readonly cwd?: string } = {}): Running {
  const { NO_COLOR: _, FORCE_COLOR: __, ...env } = process.env;
  const child = spawn(process.execPath, [main, ...args], { ...options, env });
  const text = { stdout: '', stderr: '' };
  const waiting = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      text[name] += chunk;
      for (const look of waiting) look();
    });
  const done = new Promise<Outcome>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...text, events: eventsOf(text.stdout) }));
  });
  return {
    done,
    until: (wanted) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!text.stdout.includes(wanted)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
        done.then(() => reject(new Error(`It ended without "${wanted}": ${text.stderr}`)), reject);
      }),
    kill: (signal) => child.kill(signal),
  };
}

export const gradware = (...args: readonly string[]): Promise<Outcome> => start(args).done;

function eventsOf(stdout: string): readonly Event[] {
  const lines = stdout.split('\n').filter((line) => line !== '');
  if (!lines[0]?.startsWith('{')) return [];
  return lines.map((line) => JSON.parse(line));
}

/** A new folder under the system's own for temporary files. */
export function temporaryFolder(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), 'gradware-cli-')));
}
