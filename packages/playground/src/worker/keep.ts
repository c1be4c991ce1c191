import { GradwareError } from '@gradware/core';
import type { NamedFile, SavedRun } from '../shared/protocol.js';
import { checkpointOf, type Desk, demandRun, describeRun, openFor, reach } from './desk.js';
import { isLost, problemOf } from './problem.js';
import { fromStored, toStored } from './saves.js';

/** Own files beyond this are not kept with the run. */
const mostKeptBytes = 64 * 2 ** 20;

/** Keeps the run in the browser. */
export interface Keeper {
  /** @returns when it was saved
   *  @throws GradwareError FILE where it cannot be kept */
  save(): Promise<number>;
  /** Saves unasked: where it cannot, that is said once.
   *  @throws GradwareError DEVICE_LOST, which is not about saving */
  autosave(): Promise<void>;
  /** The run that was saved last, opened again; undefined where there is none. */
  restore(): Promise<SavedRun | undefined>;
  forget(): Promise<void>;
}

export function createKeeper(desk: Desk): Keeper {
  let complained = false;

  async function save(): Promise<number> {
    const { storage, position, recorder } = desk;
    const run = demandRun(desk);
    if (typeof storage === 'string')
      throw new GradwareError('FILE', storage, { remedy: 'Download the checkpoint instead.' });
    const { config, opened, own } = run;
    const files = (use: boolean, list: readonly NamedFile[]) => (use ? list : []);
    const modelFiles = files(config.model === 'own', own.model);
    const dataFiles = files(config.data === 'own', own.data);
    const bytes = [...modelFiles, ...dataFiles].reduce((sum, file) => sum + file.bytes.length, 0);
    if (bytes > mostKeptBytes)
      throw new GradwareError('FILE', 'Your own files are too large to be kept with the run', {
        remedy: 'Download the checkpoint instead.',
      });
    const checkpoint = await checkpointOf(run);
    const savedAt = Date.now();
    const history = recorder.read();
    await storage.write(
      toStored({ config, opened, history, position, savedAt, checkpoint, modelFiles, dataFiles }),
    );
    desk.emit({ type: 'saved', at: savedAt });
    return savedAt;
  }

  return {
    save,
    async autosave() {
      if (typeof desk.storage === 'string' || desk.run === undefined) return;
      try {
        await save();
      } catch (error) {
        if (isLost(error)) throw error;
        const text = problemOf(error).message;
        if (!complained) desk.emit({ type: 'notice', tone: 'warning', text });
        complained = true;
      }
    },
    async restore() {
      const found = typeof desk.storage === 'string' ? undefined : await desk.storage.read();
      if (found === undefined) return undefined;
      const { config, history, position, savedAt, checkpoint, modelFiles, dataFiles } = fromStored(
        found.stored,
      );
      desk.own = { model: modelFiles, data: dataFiles };
      const next = await openFor(desk, config);
      try {
        await next.session.loadCheckpoint(checkpoint);
      } catch (error) {
        await next.session.release();
        throw error;
      }
      await desk.run?.session.release();
      desk.run = next;
      desk.trail.clear();
      reach(desk, next.session.stepCount, position);
      desk.recorder.write(history);
      if (found.torn)
        desk.emit({
          type: 'notice',
          tone: 'warning',
          text: 'The tab was closed while it was saving. This is the save before that one, whole.',
        });
      return { config, opened: describeRun(desk, next), history, savedAt };
    },
    async forget() {
      if (typeof desk.storage !== 'string') await desk.storage.clear();
    },
  };
}
