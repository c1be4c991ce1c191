import type { Call, FromWorker, WorkerEvent } from '../shared/protocol.js';
import { createEngine } from './engine.js';
import { problemOf } from './problem.js';

const scope = self as unknown as DedicatedWorkerGlobalScope;
const send = (message: FromWorker) => scope.postMessage(message);
const engine = createEngine((event: WorkerEvent) => send({ event }));

scope.onmessage = async ({ data: { id, method, given } }: MessageEvent<Call>) => {
  try {
    const call = engine[method] as (...given: readonly unknown[]) => Promise<unknown>;
    send({ id, result: await call(...given) });
  } catch (error) {
    send({ id, problem: problemOf(error) });
  }
};
