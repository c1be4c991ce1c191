import type { Endpoint } from './endpoint.js';

/** What is used of the locks of a browser. */
interface Locks {
  request(name: string, granted: () => unknown): Promise<unknown>;
}

const { locks } = ((globalThis as { readonly navigator?: unknown }).navigator ?? {}) as {
  readonly locks?: Locks;
};

let lock: Promise<string | undefined> | undefined;

/** The name of a lock that this thread holds until it ends: browsers tell nobody of a worker that is terminated, or that
 *  closes itself, but its locks go to who waits for them. Undefined where there are none, as in pages that are no secure
 *  contexts, and in Node, which tells. */
export function lockOfLife(endpoint: Endpoint): Promise<string | undefined> {
  lock ??= new Promise((resolve) => {
    const name = `gradware ${Date.now()} ${Math.random()}`;
    const hold = () => {
      resolve(name);
      return new Promise(() => undefined);
    };
    if (locks === undefined || 'on' in endpoint) resolve(undefined);
    else locks.request(name, hold).catch(() => resolve(undefined));
  });
  return lock;
}

/** Calls `onEnd` when the thread that holds this lock is gone. */
export function watchLife(lock: string, onEnd: (problem: string) => void): void {
  locks?.request(lock, () => onEnd('The worker was terminated')).catch(() => undefined);
}
