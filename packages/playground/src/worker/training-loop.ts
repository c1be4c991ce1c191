import { type Position, type StepsEvent, train } from '@gradware/core';
import { batches } from '@gradware/data';
import type { EpochPoint, WorkerEvent } from '../shared/protocol.js';
import type { Run } from './open-run.js';
import { normMetric, probeIds } from './probe.js';

/** How long one run of several steps should take, in milliseconds: the time between two pictures. */
const runTime = 60;

export interface LoopOptions {
  readonly run: Run;
  readonly start: Position;
  readonly signal: AbortSignal;
  /** After each run of steps, with the session at rest. */
  readonly onSteps: (
    event: Extract<WorkerEvent, { type: 'steps' }>,
    position: Position,
  ) => Promise<void>;
  readonly onEpoch: (point: EpochPoint, position: Position) => Promise<void>;
}

const channel = new MessageChannel();
const waiting: (() => void)[] = [];
channel.port1.onmessage = () => waiting.shift()?.();

/** Lets messages in. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    channel.port2.postMessage(undefined);
  });
}

function described(event: StepsEvent, stepMs: number): Extract<WorkerEvent, { type: 'steps' }> {
  const { losses, metrics } = event.result;
  const values = (name: string) => Array.from(metrics[name] ?? []);
  const probes = new Set<string>(Object.values(probeIds));
  const last = Object.entries(metrics).flatMap(([name, own]) =>
    probes.has(name.split('.')[0] ?? '') ? [] : [[name, own.at(-1) ?? Number.NaN] as const],
  );
  return {
    type: 'steps',
    step: event.step,
    epoch: event.position.epoch,
    losses: Array.from(losses),
    before: values(normMetric('before')),
    after: values(normMetric('after')),
    metrics: Object.fromEntries(last),
    stepMs,
  };
}

/** Trains until the last epoch is done, or until it is told to stop.
 *  @throws GradwareError ABORTED where it was told to */
export async function trainingLoop({
  run,
  start,
  signal,
  onSteps,
  onEpoch,
}: LoopOptions): Promise<void> {
  const { session, config, trainExamples } = run;
  const { batchSize, epochs, seed } = config;
  // A last, smaller batch would be compiled for itself, which takes long on a GPU.
  const dropLast = session.provider === 'webgpu';
  const order = (epoch: number) =>
    batches({ length: trainExamples, batchSize, shuffle: true, seed, epoch, dropLast });
  const validation = { data: run.test, signal };
  let began = performance.now();
  for await (const event of train(session, {
    ...{ data: run.train, order, epochs, start, validation, runTime, signal },
  })) {
    if (event.type === 'steps') {
      const stepMs = (performance.now() - began) / event.result.losses.length;
      await onSteps(described(event, stepMs), event.position);
    } else {
      const { epoch, step, loss, validation: found } = event;
      const point: EpochPoint = {
        ...{ epoch, step, loss },
        testLoss: found?.loss ?? Number.NaN,
        accuracy: found?.accuracy,
      };
      await onEpoch(point, { epoch: epoch + 1, batch: 0 });
    }
    await breathe();
    began = performance.now();
  }
}
