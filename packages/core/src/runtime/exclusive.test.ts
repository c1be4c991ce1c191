import type { InferenceSession, InferenceSessionFactory } from 'onnxruntime-common';
import { expect, test } from 'vitest';
import { exclusive } from './exclusive.js';

/** A runtime that tells how many calls were under way at most, and in which order they came. */
function crowdCounter() {
  const calls: string[] = [];
  let now = 0;
  let most = 0;
  async function call(name: string): Promise<void> {
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setTimeout(resolve, 1));
    calls.push(name);
    now -= 1;
  }
  const factory = {
    async create(name: string) {
      await call(`create ${name}`);
      return {
        inputNames: [name],
        run: async (fail: boolean) => {
          await call(`run ${name}`);
          if (fail) throw new Error('no');
        },
        release: () => call(`release ${name}`),
      };
    },
  } as unknown as InferenceSessionFactory;
  return { factory, calls, most: () => most };
}

test('lets one call in at a time, over all sessions, also after one that fails', async () => {
  const { factory, calls, most } = crowdCounter();
  const { create } = exclusive(factory);
  const [a, b] = await Promise.all([create('a'), create('b')]);
  const run = (session: InferenceSession, fail = false) => session.run(fail as never);
  const results = await Promise.allSettled([run(a), run(b, true), a.release(), run(b)]);
  expect(results.map(({ status }) => status)).toEqual([
    ...['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  ]);
  expect(calls).toEqual(['create a', 'create b', 'run a', 'run b', 'release a', 'run b']);
  expect(most()).toBe(1);
  expect(a.inputNames).toEqual(['a']);
});
