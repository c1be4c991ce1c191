import type { Feeds } from '@gradware/core';
import * as node from '@gradware/core/node';
import * as web from '@gradware/core/web';
import type { Contender } from '../rounds.js';
import { batchOf, type Noise } from './data.js';
import type { ArtifactSet } from './files.js';

/** The two doors of the library, each on one thread. */
const doors = { cpu: node, wasm: web } as const;

export type Door = keyof typeof doors;

/** Our session over artifacts: one step in each run, and as many as are asked for in one run. */
export async function ourContenders(
  door: Door,
  set: ArtifactSet,
  data: Noise,
): Promise<readonly Contender[]> {
  web.env.wasm.numThreads = 1;
  const { Tensor, TrainingSession } = doors[door];
  const session = await TrainingSession.create(set.files, {
    session: { intraOpNumThreads: 1 },
  });
  const [input = '', labels = ''] = session.trainingInputNames;
  const tensors = (images: Float32Array, classes: Noise['labels'], rows: number): Feeds => ({
    [input]: new Tensor('float32', images, [rows, images.length / rows]),
    [labels]: new Tensor(set.labels as 'int32', classes as Int32Array, [rows]),
  });
  const single = Array.from({ length: data.batches }, (_, k) => {
    const part = batchOf(data, k);
    return tensors(part.images, part.labels, data.batch);
  });
  const whole = tensors(data.images, data.labels, data.labels.length);
  const rows = single.map((_, k) =>
    Int32Array.from({ length: data.batch }, (__, i) => k * data.batch + i),
  );
  const timed = async (steps: number, run: () => Promise<void>) => {
    const start = performance.now();
    await run();
    return (performance.now() - start) / steps;
  };
  return [
    {
      name: `Gradware, ${door}, one step per run`,
      run: (steps) =>
        timed(steps, async () => {
          for (let k = 0; k < steps; k++) await session.step(single[k % single.length] ?? {});
        }),
    },
    {
      name: `Gradware, ${door}, many steps per run`,
      run: (steps) => {
        const chosen = Array.from({ length: steps }, (_, k) => rows[k % rows.length] ?? []);
        return timed(steps, async () => {
          await session.steps({ data: whole, rows: chosen });
        });
      },
    },
  ];
}
