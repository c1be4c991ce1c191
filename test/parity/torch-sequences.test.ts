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
    expect.stringMatching(/^1 parameters .*: abs_1 of filter.kernel\./),
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
  // The numbers of the kernel train as they went into the convolution: without their signs.
  const nameOf = (name: string) => (name === 'filter.kernel' ? 'abs_1' : name);
  expect([...gradients.keys()].sort()).toEqual([...wanted.keys()].map(nameOf).sort());
  for (const [name, { data, dims }] of wanted) {
    const found = gradients.get(nameOf(name));
    expect(found?.dims, name).toEqual(dims);
    const size = name === 'filter.kernel' ? Math.abs : (value: number) => value;
    for (const [i, value] of (data as Float32Array).entries())
      expect(size(Number(found?.data[i])), `${name} ${i}`).toBeCloseTo(size(value), 5);
  }
});
