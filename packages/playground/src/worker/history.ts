import type { EpochPoint, History } from '../shared/protocol.js';

/** Where there are more points than this, every second one goes. */
const mostPoints = 20_000;

export interface Recorder {
  add(
    step: number,
    losses: readonly number[],
    before: readonly number[],
    after: readonly number[],
  ): void;
  addEpoch(point: EpochPoint): void;
  /** Forgets what came after this step. */
  backTo(step: number): void;
  read(): History;
  write(history: History): void;
}

/** The curves of a run, one entry a step. */
export function createRecorder(): Recorder {
  let steps: number[] = [];
  let losses: number[] = [];
  let before: number[] = [];
  let after: number[] = [];
  let epochs: EpochPoint[] = [];
  const thinned = (values: readonly number[]) => values.filter((_, i) => i % 2 === 1);
  return {
    add(step, ...[newLosses, newBefore, newAfter]) {
      newLosses.forEach((loss, i) => {
        steps.push(step - newLosses.length + i + 1);
        losses.push(loss);
        before.push(newBefore[i] ?? Number.NaN);
        after.push(newAfter[i] ?? Number.NaN);
      });
      if (steps.length > mostPoints)
        [steps, losses, before, after] = [steps, losses, before, after].map(thinned) as [
          number[],
          number[],
          number[],
          number[],
        ];
    },
    addEpoch: (point) => {
      epochs.push(point);
    },
    backTo(step) {
      const kept = steps.filter((at) => at <= step).length;
      for (const values of [steps, losses, before, after]) values.length = kept;
      epochs = epochs.filter((point) => point.step <= step);
    },
    read: () => ({ steps, losses, before, after, epochs }),
    write(history) {
      [steps, losses, before, after] = [
        [...history.steps],
        [...history.losses],
        [...history.before],
        [...history.after],
      ];
      epochs = [...history.epochs];
    },
  };
}

export const emptyHistory: History = { steps: [], losses: [], before: [], after: [], epochs: [] };
