import type { Property } from '../../artifacts/ort-checkpoint.js';

/** Where a session stands, apart from its tensors. */
export interface Progress {
  /** Steps made so far. */
  readonly step: number;
  readonly seed: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly properties: Readonly<Record<string, Property>>;
}

/** Keeps the progress of a session, and how far it is with a step made in two halves. */
export interface ProgressKeeper {
  read(): Progress;
  /** Goes on from elsewhere: gradients begin anew. */
  write(next: Progress): void;
  advance(steps: number): void;
  /** Whether the next `runTrainStep` adds to the gradients that there are. */
  readonly accumulates: boolean;
  /** Calls of `runTrainStep` since the last step: each draws numbers of its own, the first those of `step`. */
  readonly microBatch: number;
  noteMicroBatch(): void;
  resetGradients(): void;
}

export function createProgress(start: Pick<Progress, 'seed' | 'properties'>): ProgressKeeper {
  let progress: Progress = { step: 0, metadata: {}, ...start };
  let accumulates = false;
  let microBatch = 0;
  return {
    read: () => progress,
    write(next) {
      progress = next;
      accumulates = false;
      microBatch = 0;
    },
    advance(steps) {
      progress = { ...progress, step: progress.step + steps };
      microBatch = 0;
    },
    get accumulates() {
      return accumulates;
    },
    get microBatch() {
      return microBatch;
    },
    noteMicroBatch() {
      accumulates = true;
      microBatch += 1;
    },
    resetGradients() {
      accumulates = false;
    },
  };
}
