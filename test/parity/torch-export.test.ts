import { readFileSync } from 'node:fs';
import { inspectModel } from '@gradware/core';
import { generateArtifacts, nodeRuntime, sgd, Tensor, TrainingSession } from '@gradware/core/node';
import type { Tensors } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { below, golden } from './golden.js';

const arrays = golden('torch-export.npz');

const bytesOf = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../golden/torch-export-${name}.onnx`, import.meta.url)));

function batchOf(own: Tensors) {
  const { dims = [], data = [] } = own.get('x') ?? {};
  const target = own.get('target');
  const isIndex = dims.length === 2;
  const whole = BigInt64Array.from(isIndex ? (data as Float32Array) : [], (n) => BigInt(n));
  return {
    x: isIndex
      ? new Tensor('int64', whole, dims)
      : new Tensor('float32', data as Float32Array, dims),
    target: new Tensor('float32', target?.data as Float32Array, target?.dims ?? []),
  };
}

const norm = (numbers: Iterable<number>) => Math.hypot(...numbers);

/** @param wanted by the names that parameters have in PyTorch; some are zero, but for rounding */
function expectGradients(found: ReadonlyMap<string, Tensor>, wanted: Tensors): void {
  expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort());
  const whole = norm([...wanted.values()].map(({ data }) => norm(data as Float32Array)));
  for (const [name, { data, dims }] of wanted) {
    const ours = found.get(name);
    expect(ours?.dims, name).toEqual(dims);
    const far = norm((data as Float32Array).map((x, i) => x - Number(ours?.data[i])));
    expect(far / Math.max(norm(data as Float32Array), 1e-3 * whole), name).toBeLessThan(1e-4);
  }
}

test.each(['layers', 'tied'])(
  'parameters that torch.onnx.export changed train as in PyTorch: %s',
  async (name) => {
    const own = below(arrays, name);
    const batch = batchOf(own);
    const options = {
      loss: 'mse',
      optimizer: sgd(),
      learningRate: 0.1,
      batchNorm: 'frozen',
    } as const;
    const session = await TrainingSession.create(bytesOf(name), options);
    const [input = ''] = session.trainingInputNames;
    const fed = { [input]: batch.x, target: batch.target };
    const { loss } = await session.runTrainStep(fed);
    expect(loss?.data[0]).toBeCloseTo(own.get('loss')?.data[0] as number, 5);
    expectGradients(await session.gradients(), below(own, 'gradients'));
    expect(session.warnings).toEqual([]);
    await session.lazyResetGrad();
    await session.steps([fed, fed]);
    const { loss: after } = await session.runEvalStep(fed);
    const trained = await TrainingSession.create(await session.exportModel(), options);
    const { loss: again } = await trained.runEvalStep(fed);
    expect(again?.data[0]).toBeCloseTo(after?.data[0] as number, 6);
    expect(Number(after?.data[0])).toBeLessThan(own.get('loss')?.data[0] as number);
  },
);

test('neither buffers nor what the exporter adds trains unless it is named', async () => {
  const { parameters } = await inspectModel(nodeRuntime.files, bytesOf('layers'));
  const trained = parameters.filter(({ trains }) => trains).map(({ name }) => name);
  expect(trained.sort()).toEqual([...below(arrays, 'layers/gradients').keys()].sort());
  const middle = parameters.find(({ name }) => name === 'middle');
  expect(middle?.why).toContain('buffer');
  const statistics = parameters.filter(({ why }) => why === 'used as a running statistic');
  expect(statistics.map(({ name }) => name)).toEqual(['norm.running_mean', 'norm.running_var']);
  const session = await TrainingSession.create(bytesOf('layers'), { loss: 'mse' });
  const again = await inspectModel(nodeRuntime.files, await session.exportModel());
  expect(
    again.parameters
      .filter(({ trains }) => trains)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(trained);
  const named = await inspectModel(nodeRuntime.files, bytesOf('layers'), {
    requiresGrad: ['middle'],
  });
  expect(named.parameters.find(({ name }) => name === 'middle')?.trains).toBe(true);
});

test('artifacts hold the parameters of PyTorch, too', async () => {
  const own = below(arrays, 'tied');
  const artifacts = await generateArtifacts(bytesOf('tied'), { loss: 'mse', optimizer: 'sgd' });
  const session = await TrainingSession.create(artifacts);
  const { x, target } = batchOf(own);
  const [input = '', second = ''] = session.trainingInputNames;
  await session.runTrainStep({ [input]: x, [second]: target });
  expectGradients(await session.gradients(), below(own, 'gradients'));
});

test('batch norms that were folded are told, and what is left of them trains', async () => {
  const own = below(arrays, 'folded');
  const { x, target } = batchOf(own);
  const session = await TrainingSession.create(bytesOf('folded'), { loss: 'mse' });
  expect(session.warnings).toEqual([
    expect.stringMatching(/folded into 2 .*optimize=False/),
    expect.stringMatching(/1 parameters .* exp of gain\. .*optimize=False/),
  ]);
  const [input = ''] = session.trainingInputNames;
  const { loss } = await session.runTrainStep({ [input]: x, target });
  expect(loss?.data[0]).toBeCloseTo(own.get('loss')?.data[0] as number, 5);
  const gradients = await session.gradients();
  expect([...gradients.keys()].sort()).toEqual(
    ['conv.weight', 'conv.weight_bias', 'exp', 'up.bias', 'up.weight'].sort(),
  );
  // The bias of a batch norm is that of the convolution that it was folded into.
  for (const [bias, norms] of [
    ['conv.weight_bias', 'norm'],
    ['up.bias', 'last'],
  ]) {
    const wanted = own.get(`gradients/${norms}.bias`)?.data as Float32Array;
    const found = gradients.get(bias ?? '')?.data as Float32Array;
    expect(found).toHaveLength(wanted.length);
    for (const [i, value] of wanted.entries()) expect(found[i]).toBeCloseTo(value, 5);
  }
});
