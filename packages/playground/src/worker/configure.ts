import { misfit, type OpenedRun, type RunConfig } from '../shared/protocol.js';
import { withoutTensors } from './checkpoint-tensors.js';
import {
  beginning,
  checkpointOf,
  type Desk,
  demandRun,
  describeRun,
  openFor,
  reach,
} from './desk.js';
import { emptyHistory } from './history.js';
import type { Run } from './open-run.js';
import { readSetting } from './parts.js';
import { problemOf } from './problem.js';
import { liveValues, staleState, structureOf } from './structure.js';
import type { Training } from './training.js';

/** Makes the run be as configured: live settings change while it trains; anything else opens a new session that goes on
 *  from the weights that there are.
 *  @param fresh starts from the beginning
 *  @throws GradwareError for what cannot work; then all is as it was */
export async function configure(
  desk: Desk,
  training: Training,
  config: RunConfig,
  fresh: boolean,
): Promise<OpenedRun> {
  const old = desk.run;
  const sameStructure = old !== undefined && !isOther(desk, old, config);
  const restarts =
    old?.config.batchSize !== config.batchSize || old.config.epochs !== config.epochs;
  if (old !== undefined && !fresh && sameStructure && !restarts) {
    desk.run = applyLive(old, config);
    return describeRun(desk, desk.run);
  }
  const wasRunning = await training.stop();
  try {
    await change(desk, config, fresh);
  } catch (error) {
    // Data that does not fit may be waiting for its model.
    if (old !== undefined && problemOf(error).code !== misfit) desk.own = old.own;
    if (wasRunning) training.start();
    throw error;
  }
  if (wasRunning && !fresh) training.start();
  return describeRun(desk, demandRun(desk));
}

/** Whether it takes another session, or other data. */
function isOther({ own }: Desk, old: Run, config: RunConfig): boolean {
  return (
    structureOf(old.config) !== structureOf(config) ||
    (config.model === 'own' && own.model !== old.own.model) ||
    (config.data === 'own' && own.data !== old.own.data)
  );
}

async function change(desk: Desk, config: RunConfig, fresh: boolean): Promise<void> {
  const { run: old } = desk;
  const goesOn = old !== undefined && !fresh && old.config.model === config.model;
  if (goesOn && !isOther(desk, old, config)) desk.run = applyLive(old, config);
  else if (goesOn) desk.run = await reopen(desk, config, old);
  else {
    desk.run = await openFor(desk, config);
    await old?.session.release();
    desk.recorder.write(emptyHistory);
    desk.trail.clear();
    desk.position = beginning;
  }
  // Batches are counted in another size, or drawn from other data.
  const sameBatches =
    old?.config.batchSize === config.batchSize &&
    old.config.data === config.data &&
    old.own.data === desk.run.own.data;
  const position = sameBatches ? desk.position : { epoch: desk.position.epoch, batch: 0 };
  reach(desk, desk.run.session.stepCount, position);
}

function applyLive(current: Run, config: RunConfig): Run {
  const known = liveValues(current.config);
  for (const [name, value] of liveValues(config))
    if (known.get(name) !== value) current.session.settings.set(name, readSetting(value));
  return { ...current, config };
}

/** A new session that goes on where the old one stands. */
async function reopen(desk: Desk, config: RunConfig, old: Run): Promise<Run> {
  const next = await openFor(desk, config);
  try {
    const checkpoint = await checkpointOf(old);
    await next.session.loadCheckpoint(withoutTensors(checkpoint, staleState(old.config, config)));
  } catch (error) {
    await next.session.release();
    throw error;
  }
  await old.session.release();
  return next;
}
