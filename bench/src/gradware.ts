import type { GradientPlugin } from '@gradware/core';
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

/** Noise in [0, 1), or random tokens, with random labels, under the names that the session asks for. */
function noise(
  { shape, tokens, labels: labelShape = [], classes, batch }: Workload,
  [input = '', labels = '']: readonly string[],
) {
  const elements = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);
  const [size, labelSize] = [elements(shape), elements(labelShape)];
  const count = batches * batch;
  const below = (limit: number, length: number) =>
    BigInt64Array.from({ length }, () => BigInt(Math.floor(Math.random() * limit)));
  const classOf = below(classes, count * labelSize);
  const values =
    tokens === undefined
      ? Float32Array.from({ length: count * size }, () => Math.random())
      : below(tokens, count * size);
  const rowsOf = (from: number, to: number) => {
    const dims = [to - from, ...shape];
    return values instanceof Float32Array
      ? new Tensor('float32', values.subarray(from * size, to * size), dims)
      : new Tensor('int64', values.subarray(from * size, to * size), dims);
  };
  const feeds = (from: number, to: number): Feeds => ({
    [input]: rowsOf(from, to),
    [labels]: new Tensor('int64', classOf.subarray(from * labelSize, to * labelSize), [
      to - from,
      ...labelShape,
    ]),
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
export function openSession(
  workload: Workload,
  plugins: readonly PluginName[],
  threads: number,
): Promise<SessionUnderTest> {
  return openChain(workload, chainOf(plugins), { threads });
}

/** The same with any plugins, and with metrics or without. */
export async function openChain(
  workload: Workload,
  plugins: readonly GradientPlugin[],
  { threads, metrics = true }: { readonly threads: number; readonly metrics?: boolean },
): Promise<SessionUnderTest> {
  const session = await TrainingSession.create(workload.model(), {
    loss: workload.loss,
    learningRate,
    plugins,
    metrics,
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
