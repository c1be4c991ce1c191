import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Message, Order } from './child.js';
import { maxAllocation } from './watch.js';

export interface Finding {
  readonly index: number;
  readonly title: string;
  readonly problem: string;
}

export interface FuzzOptions {
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  readonly workers: number;
  readonly onFinding: (finding: Finding) => void;
  readonly onProgress: (done: number) => void;
}

export interface Outcome {
  readonly findings: readonly Finding[];
  readonly done: number;
  /** How many of them something was refused in; the others did no harm. */
  readonly refused: number;
  /** How many sets of files were damaged. */
  readonly subjects: number;
  /** Milliseconds of processor time. */
  readonly slowest: number;
  /** Bytes that were asked for at once. */
  readonly largest: number;
}

/** Processor time of one case, in milliseconds. */
const maxWork = 2_000;

/** A case that does not come back for so long never will, however busy the machine. */
const maxWait = 30_000;

const childFile = fileURLToPath(new URL('./child.js', import.meta.url));

/** Works through the cases in processes of their own, so that a crash is a finding and not the end. */
export async function fuzz(options: FuzzOptions): Promise<Outcome> {
  const { seed, from, to, workers, onFinding, onProgress } = options;
  const findings: Finding[] = [];
  /** Cases that were not waited for to the end: a stopped or crowded machine is no fault of theirs, twice is. */
  const tried = new Set<number>();
  const seen = { done: 0, refused: 0, subjects: 0, slowest: 0, largest: 0 };

  function report(index: number, title: string, problem: string): void {
    const finding = { index, title, problem };
    findings.push(finding);
    onFinding(finding);
  }

  /** Works from a case on until the end, or until one breaks the process; returns where to go on. */
  function runChild(first: number): Promise<number> {
    const child: ChildProcess = fork(childFile, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    let current: { readonly index: number; readonly title: string } | undefined;
    let next = first;
    let resident = 0;
    let timer: NodeJS.Timeout | undefined;
    let gaveUp = false;
    const stopWaiting = () => clearTimeout(timer);

    child.on('message', (message: Message) => {
      stopWaiting();
      if (message.type === 'ready') {
        seen.subjects = message.subjects.length;
        child.send({ seed, from: first, to, every: workers } satisfies Order);
        return;
      }
      if (message.type === 'begin') {
        current = message;
        next = message.index + workers;
        timer = setTimeout(() => {
          gaveUp = true;
          child.kill('SIGKILL');
        }, maxWait);
        return;
      }
      const { index, milliseconds, allocated, error } = message;
      const title = current?.title ?? '';
      current = undefined;
      seen.done += 1;
      seen.refused += message.refused ? 1 : 0;
      seen.slowest = Math.max(seen.slowest, milliseconds);
      seen.largest = Math.max(seen.largest, allocated);
      onProgress(seen.done);
      if (error !== undefined) report(index, title, error);
      if (milliseconds > maxWork)
        report(index, title, `It took ${milliseconds.toFixed(0)} ms of processor time`);
      if (allocated > maxAllocation)
        report(index, title, `It asked for ${allocated} bytes at once`);
      if (message.resident > maxAllocation && resident <= maxAllocation)
        report(index, title, `The process grew to ${message.resident} bytes`);
      resident = message.resident;
    });
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        stopWaiting();
        if (current === undefined && next === first && code !== 0) {
          reject(new Error(`The process ended (${signal ?? code}) before its first case`));
          return;
        }
        if (current !== undefined && gaveUp && !tried.has(current.index)) {
          tried.add(current.index);
          resolve(current.index);
          return;
        }
        if (current !== undefined) {
          seen.done += 1;
          const late = gaveUp ? `, twice after ${maxWait / 1000} s` : '';
          report(current.index, current.title, `The process ended (${signal ?? code})${late}`);
        }
        resolve(next);
      });
    });
  }

  await Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      for (let next = from + worker; next < to; ) next = await runChild(next);
    }),
  );
  return { findings, ...seen };
}
