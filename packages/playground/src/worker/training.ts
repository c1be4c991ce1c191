import { checkpointOf, type Desk, demandRun, describeRun, reach } from './desk.js';
import type { Keeper } from './keep.js';
import type { Run } from './open-run.js';
import { isLost, isStopped, problemOf } from './problem.js';
import { trainingLoop } from './training-loop.js';
import type { Turns } from './turns.js';
import type { Watch } from './watch.js';

/** Training that goes on beside the requests of the page. */
export interface Training {
  readonly isRunning: () => boolean;
  /** Begins where training stands; nothing where it is going on. */
  start(): void;
  /** Waits for the steps that are under way. @returns whether training was going on */
  stop(): Promise<boolean>;
  /** Does something with the run that is open, and once more where that loses its GPU meanwhile. */
  withDevice<T>(work: () => Promise<T>): Promise<T>;
}

interface Going {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

export function createTraining(desk: Desk, keeper: Keeper, watch: Watch, turns: Turns): Training {
  let going: Going | undefined;

  function start(): void {
    if (going !== undefined) return;
    const run = demandRun(desk);
    const stop = new AbortController();
    desk.emit({ type: 'running', running: true, finished: false });
    const done = trainingLoop({
      run,
      start: desk.position,
      signal: stop.signal,
      onSteps: async (event, position) => {
        reach(desk, event.step, position);
        desk.recorder.add(event.step, event.losses, event.before, event.after);
        desk.emit(event);
        await watch.look(false);
      },
      onEpoch: async (point, position) => {
        reach(desk, point.step, position);
        desk.recorder.addEpoch(point);
        desk.emit({ type: 'epoch', point });
        await keeper.autosave();
      },
    }).then(
      () => ended(true),
      (error) => failed(error, run),
    );
    going = { stop, done };
  }

  async function stop(): Promise<boolean> {
    if (going === undefined) return false;
    const { done, stop: controller } = going;
    controller.abort();
    await done;
    return true;
  }

  async function ended(finished: boolean): Promise<void> {
    going = undefined;
    try {
      await withDevice(async () => {
        await watch.look(true);
        if (!finished) await keeper.autosave();
      });
    } catch (error) {
      desk.emit({ type: 'problem', problem: problemOf(error) });
    }
    desk.emit({ type: 'running', running: false, finished });
  }

  async function failed(error: unknown, run: Run): Promise<void> {
    if (isStopped(error)) return ended(false);
    going = undefined;
    desk.emit({ type: 'running', running: false, finished: false });
    if (!isLost(error)) return desk.emit({ type: 'problem', problem: problemOf(error) });
    // Not waited for: what waits for the end of training may stand in its way.
    void turns(async () => {
      if (desk.run !== run) return;
      await goBack(error);
      start();
    }).catch((cause) => desk.emit({ type: 'problem', problem: problemOf(cause) }));
  }

  async function withDevice<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isLost(error) || desk.run === undefined) throw error;
      await goBack(error);
      return work();
    }
  }

  /** The session is back at the last state that the host has, and so is everything around it. */
  async function goBack(error: unknown): Promise<void> {
    const run = demandRun(desk);
    // Opens the next provider that works.
    await checkpointOf(run);
    const { session } = run;
    const provider = session.provider === 'webgpu' ? 'webgpu' : 'wasm';
    const why =
      provider === 'webgpu'
        ? 'again, after the GPU was lost'
        : `the GPU was lost (${problemOf(error).message})`;
    desk.run = {
      ...run,
      config: { ...run.config, provider },
      opened: { ...run.opened, provider, why },
    };
    reach(desk, session.stepCount, desk.trail.at(session.stepCount) ?? desk.position);
    desk.recorder.backTo(session.stepCount);
    const history = desk.recorder.read();
    desk.emit({ type: 'reopened', opened: describeRun(desk, desk.run), history });
    desk.emit({
      type: 'notice',
      tone: 'warning',
      text: `The GPU was lost. The run is back at step ${session.stepCount} and goes on with ${provider}.`,
    });
  }

  return { isRunning: () => going !== undefined, start, stop, withDevice };
}
