import { readFileSync } from 'node:fs';
import { sgd, Tensor, TrainingSession } from '@gradware/core/node';
import { expect, test } from 'vitest';
import { below, golden } from './golden.js';

const own = below(golden('torch-sequences.npz'), 'sequences');
const bytes = new Uint8Array(
  readFileSync(new URL('../golden/torch-export-sequences.onnx', import.meta.url)),
);
const arrayOf = (name: string) => own.get(name)?.data as Float32Array;

test('what calls of torch.onnx.export take is told apart by their notes', async () => {
  const session = await TrainingSession.create(bytes, {
    loss: 'mse',
    optimizer: sgd(),
    learningRate: 0.1,
  });
  expect(session.warnings).toEqual([
    expect.stringMatching(/^2 parameters .*: abs_1 of filter.kernel, exp of filter.scale\./),
  ]);
  const ids = BigInt64Array.from(arrayOf('x'), (id) => BigInt(id));
  const batch = {
    x: new Tensor('int64', ids, own.get('x')?.dims ?? []),
    target: new Tensor('float32', arrayOf('target'), own.get('target')?.dims ?? []),
  };
  const { loss } = await session.runTrainStep(batch);
  expect(loss?.data[0]).toBeCloseTo(arrayOf('loss')[0] as number, 5);
  const gradients = await session.gradients();
  const wanted = below(own, 'gradients');
  // They train as they were computed: the kernel without its signs, the scale as a factor.
  const computed: Readonly<Record<string, readonly [string, (value: number) => number]>> = {
    'filter.kernel': ['abs_1', Math.abs],
    'filter.scale': ['exp', (value) => value * Math.exp(0.25)],
  };
  const nameOf = (name: string) => computed[name]?.[0] ?? name;
  expect([...gradients.keys()].sort()).toEqual([...wanted.keys()].map(nameOf).sort());
  for (const [name, { data, dims }] of wanted) {
    const found = gradients.get(nameOf(name));
    expect(found?.dims, name).toEqual(dims);
    const inModule = computed[name]?.[1] ?? Number;
    for (const [i, value] of (data as Float32Array).entries()) {
      const exact = name === 'filter.kernel' ? Math.abs(value) : value;
      expect(inModule(Number(found?.data[i])), `${name} ${i}`).toBeCloseTo(exact, 5);
    }
  }
});
