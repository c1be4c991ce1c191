/** How fast steps are made. */
export interface Rate {
  /** Call after each run. */
  add(steps: number): void;
  /** Leaves out the time since the last run: something else was done in it. */
  pause(): void;
  /** Steps a second, over about the last five seconds of running; undefined before there is anything to tell. */
  readonly perSecond: number | undefined;
}

const memory = 5;

/** @param now the time in milliseconds */
export function createRate(now: () => number): Rate {
  let last = now();
  let runs = 0;
  let steps = 0;
  let seconds = 0;
  return {
    add(count) {
      const elapsed = (now() - last) / 1000;
      last = now();
      runs += 1;
      // The first run compiles.
      if (runs === 1) return;
      const kept = Math.exp(-elapsed / memory);
      steps = steps * kept + count;
      seconds = seconds * kept + elapsed;
    },
    pause() {
      last = now();
    },
    get perSecond() {
      return seconds > 0 ? steps / seconds : undefined;
    },
  };
}
