import type { EpochPoint, History, WorkerEvent } from '../shared/protocol.js';

type Steps = Extract<WorkerEvent, { type: 'steps' }>;

/** A number where there is one: charts leave gaps for null. */
export type Points = (number | null)[];

export interface Curves {
  readonly steps: number[];
  readonly losses: Points;
  readonly before: Points;
  readonly after: Points;
  readonly epochSteps: number[];
  readonly testLosses: Points;
  readonly accuracies: Points;
  addSteps(event: Steps): void;
  addEpoch(point: EpochPoint): void;
  load(history: History): void;
  clear(): void;
}

const point = (value: number | undefined): number | null =>
  value === undefined || !Number.isFinite(value) ? null : value;

/** Where there are more points than this, every second one goes. */
const most = 20_000;

/** What the charts show; it grows in place. */
export function createCurves(): Curves {
  const byStep = {
    steps: [] as number[],
    losses: [] as Points,
    before: [] as Points,
    after: [] as Points,
  };
  const byEpoch = {
    epochSteps: [] as number[],
    testLosses: [] as Points,
    accuracies: [] as Points,
  };
  const all: readonly Points[] = [...Object.values(byStep), ...Object.values(byEpoch)];

  function thin(): void {
    if (byStep.steps.length <= most) return;
    for (const values of Object.values<Points>(byStep))
      values.splice(0, values.length, ...values.filter((_, i) => i % 2 === 1));
  }

  function addEpoch(reached: EpochPoint): void {
    byEpoch.epochSteps.push(reached.step);
    byEpoch.testLosses.push(point(reached.testLoss));
    byEpoch.accuracies.push(point(reached.accuracy));
  }

  function add(step: number, loss: number, first?: number, last?: number): void {
    byStep.steps.push(step);
    byStep.losses.push(point(loss));
    byStep.before.push(point(first));
    byStep.after.push(point(last));
  }

  const clear = () => {
    for (const values of all) values.length = 0;
  };

  return {
    ...byStep,
    ...byEpoch,
    addSteps({ step, losses: found, before: first, after: last }) {
      found.forEach((loss, i) => {
        add(step - found.length + i + 1, loss, first[i], last[i]);
      });
      thin();
    },
    addEpoch,
    load(history) {
      clear();
      history.steps.forEach((at, i) => {
        add(at, history.losses[i] ?? Number.NaN, history.before[i], history.after[i]);
      });
      for (const reached of history.epochs) addEpoch(reached);
    },
    clear,
  };
}
