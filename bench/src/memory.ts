import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openSession } from './gradware.js';
import type { Workload } from './workloads.js';

export interface Memory {
  readonly title: string;
  /** Resident bytes of this process after so many steps. */
  readonly samples: readonly { readonly steps: number; readonly resident: number }[];
}

/** Takes away what nobody uses any more, so that the rest can be seen to grow or not. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

/** Trains for a long time, half of it one step per run and half many, and watches the resident memory. */
export async function watchMemory(
  workload: Workload,
  total: number,
  every: number,
): Promise<Memory> {
  const session = await openSession(workload, ['norm-clip'], 1);
  const samples = [];
  for (let steps = every; steps <= total; steps += every) {
    await session.one(every / 2);
    for (let made = every / 2; made < every; made += 50) await session.many(50);
    collectGarbage();
    samples.push({ steps, resident: process.memoryUsage.rss() });
  }
  await session.release();
  return { title: workload.title, samples };
}
