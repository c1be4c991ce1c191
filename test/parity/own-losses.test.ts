import { expect, test } from 'vitest';
import type { Value } from '../../packages/core/src/graph/value.js';
import { lossFunction, onnxLoss } from '../../packages/core/src/losses/index.js';
import type { Loss } from '../../packages/core/src/losses/loss.js';
import { generateArtifacts, nodeRuntime, TrainingSession } from '../../packages/core/src/node.js';
import type { Model, TensorData, ValueInfo } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { toTensor } from '../../packages/core/src/runtime/tensors.js';
import { generator } from '../support/compare.js';
import { models, modelWriter } from '../support/forward-models.js';

const random = generator(23);
const steps = [6, 4, 6].map((batch) => ({ x: random(batch, 5), target: random(batch, 3) }));

/** Losses of a few steps with plain gradient descent. */
async function train(loss: Loss | string, batches: readonly Record<string, TensorData>[] = steps) {
  const session = await TrainingSession.create(encodeModel(models.mlp()), { loss });
  const losses: number[] = [];
  for (const batch of batches) {
    const feeds = Object.entries(batch).map(
      ([name, tensor]) => [name, toTensor(nodeRuntime.Tensor, tensor)] as const,
    );
    losses.push((await session.step(Object.fromEntries(feeds))).loss);
  }
  await session.release();
  return losses;
}

function expectSame(ours: readonly number[], theirs: readonly number[]): void {
  expect(ours).toHaveLength(steps.length);
  expect(ours).toEqual(theirs.map((loss) => expect.closeTo(loss, 6)));
}

/** A model of a loss: y and target to the mean of their squared distance, by ops that Gradware has no rule for. */
function lossModel(inputs: readonly ValueInfo[], write: (add: Writer['add']) => void): Model {
  const { add, model } = modelWriter();
  write(add);
  const made = model([], [], 'loss');
  return { ...made, graph: { ...made.graph, inputs } };
}

type Writer = ReturnType<typeof modelWriter>;

const pair: readonly ValueInfo[] = [
  { name: 'y', type: 'float32', shape: ['n', 'k'] },
  { name: 'target', type: 'float32', shape: ['n', 'k'] },
];

const squares = () =>
  encodeModel(
    lossModel(pair, (add) => {
      const distance = add('Sub', ['y', 'target']);
      add('ReduceMean', [add('Mul', [distance, distance])], { keepdims: 1 }, 'loss');
    }),
  );

test('a function over op trains as the loss that it is', async () => {
  const own = lossFunction('squares', ({ op, predictions: [y], target }) => {
    if (y === undefined) throw new Error('no prediction');
    const distance = op.Sub(y, target('target', y.type, y.shape));
    return op.mean(op.Mul(distance, distance));
  });
  const [ours, theirs] = [await train(own), await train('mse')];
  expectSame(ours, theirs);
});

test('an ONNX graph trains as the loss that it is', async () => {
  const [ours, theirs] = [await train(onnxLoss(squares())), await train('mse')];
  expectSame(ours, theirs);
});

test('the truth of an ONNX loss takes its dimensions from the prediction', async () => {
  const weighted = lossModel(
    [...pair, { name: 'weight', type: 'float32', shape: ['n'] }],
    (add) => {
      const distance = add('Abs', [add('Sub', ['y', 'target'])]);
      const rows = add('ReduceMean', [distance], { axes: [1], keepdims: 0 });
      add('ReduceSum', [add('Mul', [rows, 'weight'])], { keepdims: 0 }, 'loss');
    },
  );
  const loss = onnxLoss(encodeModel(weighted), { name: 'weighted' });
  const ones = steps.map((step) => {
    const batch = step.x.dims[0] ?? 0;
    const share = { type: 'float32', dims: [batch], data: new Float32Array(batch).fill(1 / batch) };
    return { ...step, weight: share as TensorData };
  });
  const [ours, theirs] = [await train(loss, ones), await train('l1')];
  expectSame(ours, theirs);
  const artifacts = await generateArtifacts(encodeModel(models.mlp()), { loss });
  const session = await TrainingSession.create(artifacts);
  expect(session.trainingInputs.slice(1)).toEqual([
    { name: 'target', type: 'float32', shape: ['batch', 3] },
    { name: 'weight', type: 'float32', shape: ['batch'] },
  ]);
  await session.release();
});

/** A predicted affine map and two images: what one of them looks like through it, to the other. */
test('a loss of rare ops trains, as a function over op and as an ONNX graph', async () => {
  const { weight, add, model } = modelWriter();
  add('MatMul', ['x', weight('w', [4, 6])], {}, 'y');
  const bytes = encodeModel(model([2, 4], [2, 6]));
  const images = ['moving', 'still'].map((name) => ({
    ...{ name, type: 'float32' as const, shape: [2, 1, 5, 4] },
  }));
  const written = lossFunction('photometric', ({ op, predictions: [y], target }) => {
    const [moving, still] = images.map(({ name, type, shape }) => target(name, type, shape));
    const grid = op.AffineGrid(op.reshape(y as Value, [2, 2, 3]), op.ints([2, 1, 5, 4]));
    const distance = op.Sub(op.GridSample(moving as Value, grid), still as Value);
    return op.mean(op.Mul(distance, distance));
  });
  const drawn = modelWriter();
  const theta = drawn.add('Reshape', ['y', drawn.ints('theta', [2, 2, 3])]);
  const grid = drawn.add('AffineGrid', [theta, drawn.ints('size', [2, 1, 5, 4])]);
  const distance = drawn.add('Sub', [drawn.add('GridSample', ['moving', grid]), 'still']);
  const squared = drawn.add('Mul', [distance, distance]);
  drawn.add('ReduceMean', [squared], { keepdims: 0 }, 'loss');
  const made = drawn.model([], [], 'loss');
  const inputs: readonly ValueInfo[] = [{ name: 'y', type: 'float32', shape: [2, 6] }, ...images];
  const graph = { ...made.graph, inputs };
  const read = onnxLoss(encodeModel({ ...made, graph, opsets: new Map([['', 20]]) }));
  const tensors = { x: random(2, 4), moving: random(2, 1, 5, 4), still: random(2, 1, 5, 4) };
  const feeds = Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [name, toTensor(nodeRuntime.Tensor, tensor)]),
  );
  const runs = [];
  for (const loss of [written, read]) {
    const session = await TrainingSession.create(bytes, { loss, learningRate: 0.01 });
    const losses: number[] = [];
    for (let i = 0; i < 5; i++) losses.push((await session.step(feeds)).loss);
    expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0);
    await session.runEvalStep(feeds);
    await session.release();
    runs.push(losses);
  }
  expect(runs[0]).toEqual(runs[1]?.map((loss) => expect.closeTo(loss, 6)));
});

test('what is no loss is refused', async () => {
  const opens = (loss: Loss) => TrainingSession.create(encodeModel(models.mlp()), { loss });
  const whole = lossFunction('whole', ({ predictions: [y] }) => y as never);
  await expect(opens(whole)).rejects.toThrow(/whole must be one floating-point number/);
  const many = lossModel(pair, (add) => add('Sub', ['y', 'target'], {}, 'loss'));
  await expect(opens(onnxLoss(encodeModel(many)))).rejects.toThrow(/mean or the sum/);
  const deep = pair.map((info) => ({ ...info, shape: ['n', 'k', 'd'] }));
  const other = lossModel(deep, (add) => add('ReduceMean', ['y'], {}, 'loss'));
  await expect(opens(onnxLoss(encodeModel(other)))).rejects.toThrow(/wants float32 \[n,k,d\]/);
  const loose = lossModel(
    [...pair, { name: 'm', type: 'float32', shape: ['q'] }],
    (add) => void add('ReduceMean', ['y'], {}, 'loss'),
  );
  await expect(opens(onnxLoss(encodeModel(loose)))).rejects.toThrow(/"m" of the loss onnx/);
  expect(() => onnxLoss(squares(), { predictions: ['z'] })).toThrow(/inputs are y, target/);
  expect(() => onnxLoss(new Uint8Array([1, 2, 3]))).toThrow(/the loss onnx/);
});
