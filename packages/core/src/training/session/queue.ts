import { GradwareError, refuseAborted } from '../../errors.js';

/** One thing at a time: sessions of ONNX Runtime do not like company. */
export interface Queue {
  add<Result>(task: () => Promise<Result>, signal?: AbortSignal): Promise<Result>;
  /** Runs a last task and refuses all later ones. Closing twice is closing once. */
  close(task: () => Promise<void>): Promise<void>;
}

export function createQueue(): Queue {
  let tail: Promise<unknown> = Promise.resolve();
  let closed: Promise<void> | undefined;

  function chain<Result>(task: () => Promise<Result>): Promise<Result> {
    const result = tail.then(task);
    tail = result.catch(() => undefined);
    return result;
  }

  return {
    add(task, signal) {
      if (closed !== undefined)
        return Promise.reject(
          new GradwareError('RELEASED', 'The session has been released', {
            remedy: 'Create a new one.',
          }),
        );
      return chain(async () => {
        refuseAborted(signal);
        try {
          return await task();
        } catch (error) {
          if (error === signal?.reason) refuseAborted(signal);
          throw error;
        }
      });
    },
    close(task) {
      closed ??= chain(task);
      return closed;
    },
  };
}

/** The same queue, each task inside of `guard`. */
export function throughGuard(
  { add }: Pick<Queue, 'add'>,
  guard: <Result>(task: () => Promise<Result>) => Promise<Result>,
): Pick<Queue, 'add'> {
  return { add: (task, signal) => add(() => guard(task), signal) };
}
