import { Tensor } from 'onnxruntime-common';
import { expect, test } from 'vitest';
import type { Feeds, Rows, StepsResult } from '../api.js';
import { type TrainerOptions, type TrainingEvent, train } from './trainer.js';

/** Records the rows it is given; the loss of a batch is its first row. */
function recorder() {
  const seen: (readonly number[])[] = [];
  const runs: number[] = [];
  return {
    seen,
    runs,
    stepCount: 0,
    evalInputNames: [],
    evalOutputNames: [],
    runEvalStep: async (): Promise<Feeds> => ({}),
    async steps(given: readonly Feeds[] | Rows): Promise<StepsResult> {
      const { rows } = given as Rows;
      runs.push(rows.length);
      expect(new Set(rows.map((batch) => batch.length)).size).toBe(1);
      seen.push(...rows.map((batch) => Array.from(batch)));
      this.stepCount += rows.length;
      return {
        losses: Float32Array.from(rows, (batch) => batch[0] ?? 0),
        metrics: { 'clip.norm': Float32Array.from(rows, (_, i) => (i % 2 ? Number.NaN : 2)) },
        dropped: rows.map(() => false),
      };
    },
  };
}

const data = { x: new Tensor('float32', new Float32Array(10), [10]) };
const order = (epoch: number) => [
  [epoch, 1, 2, 3],
  [4, 5, 6, 7],
  [8, 9],
];

async function run(session: ReturnType<typeof recorder>, options: Partial<TrainerOptions> = {}) {
  const events: TrainingEvent[] = [];
  for await (const event of train(session, { data, order, epochs: 2, ...options })) {
    events.push(event);
  }
  return events;
}

test('every batch of every epoch comes once, in order, and runs hold one size', async () => {
  const session = recorder();
  const events = await run(session);
  expect(session.seen).toEqual([...order(0), ...order(1)]);
  expect(session.runs.at(-1)).toBe(1);
  const epochs = events.filter((event) => event.type === 'epoch');
  expect(epochs.map(({ epoch, step }) => [epoch, step])).toEqual([
    [0, 3],
    [1, 6],
  ]);
  // By examples: (0 · 4 + 4 · 4 + 8 · 2) / 10
  expect(epochs[0]?.loss).toBeCloseTo(3.2, 6);
  expect(epochs[0]?.metrics).toEqual({ 'clip.norm': 2 });
});

test('what comes does not depend on how many steps are in a run', async () => {
  const [quick, slow] = [recorder(), recorder()];
  await run(quick, { runTime: 1e6, epochs: 5 });
  await run(slow, { runTime: 0, epochs: 5 });
  expect(quick.seen).toEqual(slow.seen);
  expect(Math.max(...slow.runs)).toBe(1);
  expect(Math.max(...quick.runs)).toBe(2);
});

test('it goes on where it stood', async () => {
  const session = recorder();
  const events = await run(session, { start: { epoch: 1, batch: 2 } });
  expect(session.seen).toEqual([[8, 9]]);
  expect(events[0]).toMatchObject({ type: 'steps', position: { epoch: 1, batch: 3 } });
});

test('from the end of an epoch it goes on with its evaluation', async () => {
  const session = recorder();
  const events = await run(session, { start: { epoch: 1, batch: 3 } });
  expect(events.map(({ type }) => type)).toEqual(['epoch']);
});

test('an abort stops between two runs', async () => {
  const session = recorder();
  const abort = new AbortController();
  const iterate = async () => {
    const options = { data, order, epochs: 2, runTime: 0, signal: abort.signal };
    for await (const event of train(session, options)) if (event.step === 4) abort.abort();
  };
  await expect(iterate()).rejects.toMatchObject({ code: 'ABORTED' });
  expect(session.stepCount).toBe(4);
});
