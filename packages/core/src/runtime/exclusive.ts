import type { InferenceSession, InferenceSessionFactory } from 'onnxruntime-common';

type Lock = <Result>(task: () => Promise<Result>) => Promise<Result>;

/** Calls one at a time, in the order in which they come. */
function createLock(): Lock {
  let tail: Promise<unknown> = Promise.resolve();
  return (task) => {
    const result = tail.then(task);
    tail = result.catch(() => undefined);
    return result;
  };
}

const guarded = ['run', 'release'] as const;

/** A runtime whose sessions take turns. In a browser two calls at once, even of two sessions, never come back or write
 *  to each other's memory: creating, running and releasing all pass one queue. */
export function exclusive(factory: InferenceSessionFactory): InferenceSessionFactory {
  const lock = createLock();

  function takingTurns(session: InferenceSession): InferenceSession {
    return new Proxy(session, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function') return value;
        const method = value.bind(target) as (...values: readonly unknown[]) => Promise<unknown>;
        const waits = guarded.some((name) => name === key);
        return waits ? (...values: readonly unknown[]) => lock(() => method(...values)) : method;
      },
    });
  }

  const create = factory.create.bind(factory) as (
    ...values: readonly unknown[]
  ) => Promise<InferenceSession>;
  return {
    create: (...values: readonly unknown[]) =>
      lock(async () => takingTurns(await create(...values))),
  };
}
