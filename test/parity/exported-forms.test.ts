import { InferenceSession } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import {
  generateArtifacts,
  inspectModel,
  nodeRuntime,
  Tensor,
  TrainingSession,
} from '../../packages/core/src/node.js';
import type { Model, Node } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { models, modelWriter } from '../support/forward-models.js';

/** Every initializer as a Constant node, as some exporters write them. */
function withoutInitializers({ graph, ...rest }: Model): Model {
  const constants = [...graph.initializers].map(
    ([name, value]): Node => ({
      ...{ name: `${name}/Constant`, opType: 'Constant', domain: '' },
      ...{ inputs: [], outputs: [name], attributes: { value: { type: 'tensor', value } } },
    }),
  );
  const nodes = [...constants, ...graph.nodes];
  return { ...rest, graph: { ...graph, nodes, initializers: new Map() } };
}

const batch = {
  x: new Tensor(
    'float32',
    Float32Array.from({ length: 10 }, (_, i) => Math.sin(i)),
    [2, 5],
  ),
  target: new Tensor(
    'float32',
    Float32Array.from({ length: 6 }, (_, i) => Math.cos(i)),
    [2, 3],
  ),
};

test('weights in Constant nodes train as initializers do', async () => {
  const [plain, constant] = [models.mlp(), withoutInitializers(models.mlp())].map(encodeModel);
  const options = { loss: 'mse', learningRate: 0.1 };
  const wanted = await TrainingSession.create(plain as Uint8Array, options);
  const found = await TrainingSession.create(constant as Uint8Array, options);
  expect([...found.trainableNames].sort()).toEqual([...wanted.trainableNames].sort());
  const { losses } = await found.steps([batch, batch, batch]);
  expect(losses).toEqual((await wanted.steps([batch, batch, batch])).losses);
  const [ours, theirs] = await Promise.all(
    [found, wanted].map(async (session) => {
      const exported = await InferenceSession.create(await session.exportModel());
      const { y } = await exported.run({ x: batch.x });
      await session.release();
      return y?.data;
    }),
  );
  expect(ours).toEqual(theirs);
  const { parameters } = await inspectModel(nodeRuntime.files, constant as Uint8Array);
  expect(parameters.filter(({ trains }) => trains)).toHaveLength(4);
  await generateArtifacts(constant as Uint8Array, { loss: 'mse' });
});

test('constants stay constants beside weights that are initializers', async () => {
  const { add, weight, model } = modelWriter();
  const shift = add('Constant', [], { value: tensorOf('float32', [1, 2, 3]) });
  add('Add', [add('MatMul', ['x', weight('w', [5, 3])]), shift], {}, 'y');
  const session = await TrainingSession.create(encodeModel(model(['n', 5], ['n', 3])), {
    loss: 'mse',
  });
  expect(session.trainableNames).toEqual(['w']);
  await session.release();
});

test('scales among the initializers stay what shapes follow from', async () => {
  const { add, weight, model } = modelWriter();
  const made = model(['n', 2, 3, 3], ['n', 2, 6, 6]);
  const scales = tensorOf('float32', [1, 1, 2, 2]);
  const region = tensorOf('float32', [0, 0, 0, 0, 1, 1, 1, 1]);
  (made.graph.initializers as Map<string, typeof scales>).set('scales', scales).set('roi', region);
  const conv = add('Conv', ['x', weight('w', [2, 2, 1, 1])]);
  add('Resize', [conv, 'roi', 'scales'], { mode: 'nearest' }, 'y');
  const session = await TrainingSession.create(encodeModel(made), { loss: 'mse' });
  expect(session.frozenNames).toEqual([]);
  const sized = (...dims: readonly number[]) =>
    new Tensor('float32', new Float32Array(dims.reduce((a, b) => a * b)).fill(0.5), dims);
  const fed = { x: sized(2, 2, 3, 3), target: sized(2, 2, 6, 6) };
  const { losses } = await session.steps([fed, fed]);
  expect(losses[1]).toBeLessThan(losses[0] as number);
  await session.release();
});

test('images are resized by factors that are put together, whatever of the weights trains', async () => {
  const { weight, filled, add, model } = modelWriter();
  const filtered = add('Conv', ['x', weight('w', [2, 1, 1, 1])]);
  const scales = add('Concat', [filled('ones', [2], 1), filled('factors', [2], 2)], { axis: 0 });
  add('Conv', [add('Resize', [filtered, '', scales]), weight('v', [1, 2, 1, 1])], {}, 'y');
  const bytes = encodeModel(model(['batch', 1, 2, 2], ['batch', 1, 4, 4]));
  const images = {
    x: new Tensor('float32', Float32Array.of(1, 2, 3, 4), [1, 1, 2, 2]),
    target: new Tensor('float32', new Float32Array(16), [1, 1, 4, 4]),
  };
  const losses: number[] = [];
  for (const options of [{}, { requiresGrad: ['w'] }, { frozenParams: ['v'] }]) {
    const session = await TrainingSession.create(bytes, { loss: 'mse', ...options });
    losses.push((await session.step(images)).loss);
    expect(session.frozenNames).not.toContain('factors');
    await session.release();
  }
  expect(new Set(losses).size).toBe(1);
});
