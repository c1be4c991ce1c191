/** Chooses how many steps go into one run, so that a run takes about `target` milliseconds. */
export interface Pace {
  readonly steps: number;
  /** Runs some steps and learns how long they take. */
  measure<T>(steps: number, run: () => Promise<T>): Promise<T>;
}

const most = 1024;

/** Starts with one step (which also compiles), then grows at most eightfold from run to run, so that one
 *  misjudged run cannot last for long.
 *  @param now the time in milliseconds */
export function createPace(target: number, now: () => number = () => performance.now()): Pace {
  let steps = 1;
  let best = Number.POSITIVE_INFINITY;
  return {
    get steps() {
      return steps;
    },
    async measure(count, run) {
      const before = now();
      const result = await run();
      const each = (now() - before) / count;
      // The fastest of the recent runs: those that compiled or were interrupted say little.
      best = Math.min(best * 1.1, each);
      steps = Math.max(1, Math.min(most, steps * 8, Math.round(target / Math.max(best, 1e-3))));
      return result;
    },
  };
}
