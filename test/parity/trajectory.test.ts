import { fileURLToPath } from 'node:url';
import { adamw, type GradientPlugin, sgd, Tensor, TrainingSession } from '@gradware/core/node';
import { readDataset, toInputs } from '@gradware/data/node';
import { l2 } from '@gradware/plugin-l2';
import { normClip } from '@gradware/plugin-norm-clip';
import { valueClip } from '@gradware/plugin-value-clip';
import { expect, test } from 'vitest';
import { golden } from './golden.js';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const trajectory = golden('trajectory.npz');
const recorded = (key: string) => trajectory.get(key)?.data as Float32Array;

const optimizers = {
  adamw: { optimizer: adamw({ weightDecay: 0.01 }), learningRate: 1e-3 },
  sgd: { optimizer: sgd({ momentum: 0.9, nesterov: true, weightDecay: 1e-4 }), learningRate: 0.1 },
} as const;

const chain = (): readonly GradientPlugin[] => [
  normClip({ maxNorm: 1 }),
  valueClip({ max: 0.02 }),
  l2({ lambda: 1e-3 }),
];

async function digits() {
  const dataset = toInputs(await readDataset(path('../../models/digits/digits-train.npz')), [
    { name: 'image', type: 'float32', shape: [null, 1, 8, 8] },
    { name: 'labels', type: 'int64', shape: [null] },
  ]);
  return Object.fromEntries(
    [...dataset.columns.values()].map(({ name, type, shape, data }) => [
      name,
      new Tensor(type as 'float32', data as Float32Array, shape),
    ]),
  );
}

/** The batches that PyTorch was trained on, as row numbers. */
function rowsOf(): readonly Int32Array[] {
  const rows = trajectory.get('rows');
  const [steps = 0, batch = 0] = rows?.dims ?? [];
  return Array.from({ length: steps }, (_, k) =>
    Int32Array.from({ length: batch }, (__, i) => Number(rows?.data[k * batch + i])),
  );
}

for (const model of ['mlp', 'cnn'] as const)
  for (const [name, settings] of Object.entries(optimizers))
    test(`ten steps of ${model} with ${name}, norm-clip, value-clip and l2 follow PyTorch`, async () => {
      const session = await TrainingSession.create(path(`../../models/digits/${model}.onnx`), {
        loss: 'cross-entropy',
        plugins: chain(),
        ...settings,
      });
      const { losses, metrics } = await session.steps({ data: await digits(), rows: rowsOf() });
      const key = `${model}/${name}`;
      recorded(`${key}/losses`).forEach((wanted, k) => {
        expect(Math.abs((losses[k] as number) - wanted) / wanted, `loss ${k}`).toBeLessThan(1e-5);
      });
      recorded(`${key}/norms`).forEach((wanted, k) => {
        expect(
          Math.abs((metrics['norm-clip.norm']?.[k] as number) - wanted) / wanted,
          `norm ${k}`,
        ).toBeLessThan(1e-5);
      });
      for (const parameter of session.trainableNames) {
        const found = (await session.getParameter(parameter)).data as Float32Array;
        const wanted = recorded(`${key}/parameters/${parameter}`);
        const norm = Math.hypot(...wanted);
        const apart = Math.hypot(...found.map((value, i) => value - (wanted[i] as number)));
        expect(apart / norm, parameter).toBeLessThan(1e-5);
      }
      await session.release();
    });
