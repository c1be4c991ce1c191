import { type Feeds, Tensor, TrainingSession } from '@gradware/core/node';
import { chainOf, type PluginName } from './chains.js';
import type { Contender } from './rounds.js';
import type { Workload } from './workloads.js';

/** Batches in the data set that is trained on over and over. */
const batches = 20;
/** So small that the data is never learnt by heart: gradients keep their size. */
const learningRate = 1e-4;

interface Data {
  readonly whole: Feeds;
  readonly batch: (k: number) => Feeds;
  readonly rows: (k: number) => Int32Array;
}

/** Noise in [0, 1) with random labels, under the names that the session asks for. */
function noise({ shape, classes, batch }: Workload, [input = '', labels = '']: readonly string[]) {
  const size = shape.reduce((product, dim) => product * dim, 1);
  const count = batches * batch;
  const values = Float32Array.from({ length: count * size }, () => Math.random());
  const classOf = BigInt64Array.from({ length: count }, () =>
    BigInt(Math.floor(Math.random() * classes)),
  );
  const feeds = (from: number, to: number): Feeds => ({
    [input]: new Tensor('float32', values.subarray(from * size, to * size), [to - from, ...shape]),
    [labels]: new Tensor('int64', classOf.subarray(from, to), [to - from]),
  });
  const single = Array.from({ length: batches }, (_, k) => feeds(k * batch, (k + 1) * batch));
  const rows = single.map((_, k) => Int32Array.from({ length: batch }, (_, i) => k * batch + i));
  const data: Data = {
    whole: feeds(0, count),
    batch: (k) => single[k % batches] as Feeds,
    rows: (k) => rows[k % batches] as Int32Array,
  };
  return data;
}

export interface SessionUnderTest {
  /** One step in each run. */
  one(steps: number): Promise<number>;
  /** All steps in one run. */
  many(steps: number): Promise<number>;
  release(): Promise<void>;
}

/** A session of its own, that makes steps either way. */
export async function openSession(
  workload: Workload,
  plugins: readonly PluginName[],
  threads: number,
): Promise<SessionUnderTest> {
  const session = await TrainingSession.create(workload.model(), {
    loss: 'cross-entropy',
    learningRate,
    plugins: chainOf(plugins),
    session: { intraOpNumThreads: threads },
  });
  const data = noise(workload, session.trainingInputNames);
  const timed = async (steps: number, run: () => Promise<void>) => {
    const start = performance.now();
    await run();
    return (performance.now() - start) / steps;
  };
  return {
    one: (steps) =>
      timed(steps, async () => {
        for (let k = 0; k < steps; k++) await session.step(data.batch(k));
      }),
    many: (steps) => {
      const rows = Array.from({ length: steps }, (_, k) => data.rows(k));
      return timed(steps, async () => {
        await session.steps({ data: data.whole, rows });
      });
    },
    release: () => session.release(),
  };
}

export function contender(name: string, run: (steps: number) => Promise<number>): Contender {
  return { name, run };
}
