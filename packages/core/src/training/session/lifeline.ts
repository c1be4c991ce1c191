import { GradwareError, messageOf } from '../../errors.js';
import type { TensorData } from '../../onnx/ir.js';
import { copyTensor } from '../../onnx/tensor.js';
import type { OpenDevice } from '../execution/device.js';
import { isLoss } from '../execution/failures.js';
import type { StateStore } from '../execution/state-store.js';
import type { Progress, ProgressKeeper } from './progress.js';

/** What a session with its state on a GPU holds on to, should that be lost. */
export interface Lifeline {
  /** Does something on the device. Where that is lost, the session goes back to the last state that the host has.
   *  @throws GradwareError DEVICE_LOST then; the next call opens a device again, RUNTIME where none works */
  guard<Result>(task: () => Promise<Result>): Promise<Result>;
  /** The same, for what can do without a device: where none works after a loss, it has what came to the host. */
  guardHost<Result>(task: () => Promise<Result>): Promise<Result>;
  /** Notes the state, all of which is on the host now. */
  note(): void;
}

interface LifelineParts {
  readonly device: () => OpenDevice;
  /** Opens the first of the wanted providers that works now. */
  readonly reopen: () => Promise<void>;
  /** Lets go of what was open on the lost device. */
  readonly abandon: () => Promise<void>;
  readonly store: StateStore;
  readonly progress: Pick<ProgressKeeper, 'read' | 'write'>;
  readonly now?: () => number;
}

interface Note {
  readonly progress: Progress;
  readonly tensors: ReadonlyMap<string, TensorData>;
}

/** Bringing the state to the host takes this share of the time at most, and happens this often at most (ms). */
const share = 0.05;
const pause = 1000;

export function createLifeline(parts: LifelineParts): Lifeline {
  const { device, store, progress, now = () => performance.now() } = parts;
  let isLost = false;
  let noted = takeNote();
  let nextAt = now() + pause;

  function takeNote(): Note {
    const tensors = [...store.snapshot()].filter(([key]) => !key.startsWith('gradient/'));
    return {
      progress: progress.read(),
      // Plugins that work on the host write into their own state.
      tensors: new Map(
        tensors.map(([key, tensor]) => [
          key,
          key.startsWith('plugin/') ? copyTensor(tensor) : tensor,
        ]),
      ),
    };
  }

  async function keepUp(): Promise<void> {
    const started = now();
    if (device().transfer === undefined || started < nextAt) return;
    await store.toHost();
    noted = takeNote();
    const took = now() - started;
    nextAt = started + Math.max(pause, took / share);
  }

  async function recover(cause: unknown): Promise<never> {
    const { step } = progress.read();
    const { provider } = device().execution;
    isLost = true;
    // Tensors first: where the sessions that made them are gone, freeing them ends the process in Node.
    store.restore(noted.tensors);
    await parts.abandon();
    progress.write(noted.progress);
    const back = noted.progress.step;
    throw new GradwareError('DEVICE_LOST', `${provider} lost its device after step ${step}`, {
      remedy: `The session is back at step ${back}, which can be saved. Its next step goes on from there, on the first of the wanted providers that works then.`,
      cause,
    });
  }

  async function reopen(): Promise<void> {
    if (!isLost) return;
    try {
      await parts.reopen();
    } catch (cause) {
      const problem = cause instanceof GradwareError ? cause.problem : messageOf(cause);
      throw new GradwareError('RUNTIME', `The device was lost, and no other opens: ${problem}`, {
        remedy: `The session is back at step ${progress.read().step}, which can be saved. Go on from there in a page that is loaded anew (in a new worker), or with more providers (executionProviders).`,
        cause,
      });
    }
    isLost = false;
  }

  async function guarded<Result>(task: () => Promise<Result>): Promise<Result> {
    // Without memory of its own, a device takes no state with it.
    if (device().transfer === undefined) return task();
    try {
      const result = await task();
      await keepUp();
      return result;
    } catch (error) {
      return isLoss(error) ? recover(error) : Promise.reject(error);
    }
  }

  return {
    note() {
      if (device().transfer !== undefined) noted = takeNote();
    },
    async guard(task) {
      await reopen();
      return guarded(task);
    },
    async guardHost(task) {
      await reopen().catch(() => undefined);
      return isLost ? task() : guarded(task);
    },
  };
}
