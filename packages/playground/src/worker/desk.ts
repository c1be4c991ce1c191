import { GradwareError, type Position } from '@gradware/core';
import type { Environment, OpenedRun, RunConfig, WorkerEvent } from '../shared/protocol.js';
import { createRecorder, type Recorder } from './history.js';
import { openRun, type Run } from './open-run.js';
import { builtInData, builtInModel, type OwnFiles, ownData, ownModel } from './sources.js';
import type { Storage } from './storage.js';
import { createTrail, type Trail } from './trail.js';

/** What the worker has before it: the run that is open, how far it is, and what is around it. */
export interface Desk {
  readonly emit: (event: WorkerEvent) => void;
  readonly recorder: Recorder;
  readonly trail: Trail;
  environment: Environment | undefined;
  /** The reason, where runs cannot be kept. */
  storage: Storage | string;
  own: OwnFiles;
  run: Run | undefined;
  position: Position;
}

export const beginning: Position = { epoch: 0, batch: 0 };

export function createDesk(emit: Desk['emit']): Desk {
  return {
    emit,
    recorder: createRecorder(),
    trail: createTrail(),
    environment: undefined,
    storage: 'Runs are not kept yet.',
    own: { model: [], data: [] },
    run: undefined,
    position: beginning,
  };
}

/** @throws GradwareError RUNTIME where nothing has been opened */
export function demandRun({ run }: Pick<Desk, 'run'>): Run {
  if (run !== undefined) return run;
  throw new GradwareError('RUNTIME', 'There is no model to train yet', {
    remedy: 'Choose a model first.',
  });
}

export async function openFor({ own, environment }: Desk, config: RunConfig): Promise<Run> {
  const model = config.model === 'own' ? ownModel(own.model) : await builtInModel(config.model);
  const data = config.data === 'own' ? ownData(own.data) : await builtInData();
  const gpu = environment?.gpu ?? { usable: false, reason: 'it was not looked for' };
  return openRun(config, own, model, data, gpu);
}

/** Training has come to here. */
export function reach(desk: Desk, step: number, position: Position): void {
  desk.position = position;
  desk.trail.note(step, position);
}

export function describeRun({ position }: Desk, { opened, session }: Run): OpenedRun {
  return { ...opened, step: session.stepCount, epoch: position.epoch };
}

export async function checkpointOf({ session }: Run): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await session.checkpoint());
}
