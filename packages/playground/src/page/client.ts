import type {
  Answer,
  Call,
  FromWorker,
  Problem,
  Requests,
  WorkerEvent,
} from '../shared/protocol.js';

/** What the worker could not do. */
class WorkerProblem extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

export function problemFrom(error: unknown): Problem {
  if (error instanceof WorkerProblem) return error.problem;
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'RUNTIME', message, remedy: undefined };
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

const died: Problem = {
  code: 'RUNTIME',
  message: 'The worker that trains has stopped',
  remedy: 'Reload the page: training goes on from what was saved last.',
};

/** The worker that trains; every method is a message to it and its answer. */
export function connect(onEvent: (event: WorkerEvent) => void): Requests {
  const worker = new Worker(new URL('../worker/worker.ts', import.meta.url), { type: 'module' });
  const waiting = new Map<number, Waiting>();
  let next = 0;
  const settle = (answer: Answer) => {
    const call = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ('problem' in answer) call?.reject(new WorkerProblem(answer.problem));
    else call?.resolve(answer.result);
  };
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if ('event' in data) onEvent(data.event);
    else settle(data);
  };
  worker.onerror = (event) => {
    const problem = event.message
      ? { ...died, message: `${died.message}: ${event.message}` }
      : died;
    for (const { reject } of waiting.values()) reject(new WorkerProblem(problem));
    waiting.clear();
    onEvent({ type: 'problem', problem });
  };
  const call = (method: keyof Requests, given: readonly unknown[]) =>
    new Promise<unknown>((resolve, reject) => {
      const id = next++;
      waiting.set(id, { resolve, reject });
      worker.postMessage({ id, method, given } satisfies Call);
    });
  return new Proxy({} as Requests, {
    get:
      (_, method) =>
      (...given: readonly unknown[]) =>
        call(method as keyof Requests, given),
  });
}
