import { expect, test } from 'vitest';
import { readOrtCheckpoint } from '../../packages/core/src/artifacts/ort-checkpoint.js';
import { writeOrtCheckpoint } from '../../packages/core/src/artifacts/write-ort-checkpoint.js';
import type { GenerateOptions } from '../../packages/core/src/index.js';
import {
  convertArtifacts,
  evaluate,
  generateArtifacts,
  nodeRuntime,
  type Tensor,
  TrainingSession,
} from '../../packages/core/src/node.js';
import type { Model, TensorData } from '../../packages/core/src/onnx/ir.js';
import { decodeModel, encodeModel } from '../../packages/core/src/onnx/model.js';
import { fromTensor, toTensor } from '../../packages/core/src/runtime/tensors.js';
import { expectClose, generator, int64, map } from '../support/compare.js';
import { models, modelWriter } from '../support/forward-models.js';
import {
  createOracleSession,
  type OrtTrainingSession,
  oracleTensor,
} from '../support/ort-training.js';

// What ORT's own tools write and ours do not, side by side with ORT's own runtime.

const random = generator(5);
type Batch = Readonly<Record<string, TensorData>>;
type Artifacts = Awaited<ReturnType<typeof generateArtifacts>>;
type Set = Pick<Artifacts, 'trainModel' | 'evalModel' | 'optimizerModel' | 'checkpointState'>;

const generated = (model: Model, options: GenerateOptions = {}): Promise<Set> =>
  generateArtifacts(encodeModel(model), options);

const edited = (bytes: Uint8Array, edit: (model: Model) => Model) =>
  encodeModel(edit(decodeModel(bytes)));

async function both({ checkpointState, trainModel, evalModel, optimizerModel }: Set) {
  const optional = optimizerModel === undefined ? {} : { optimizerModel };
  return {
    ours: await TrainingSession.create({ checkpointState, trainModel, evalModel, ...optional }),
    theirs: await createOracleSession({
      ...{ checkpoint: checkpointState, trainModel, evalModel },
      ...optional,
    }),
  };
}

async function trainBoth(ours: TrainingSession, theirs: OrtTrainingSession, batch: Batch) {
  const feeds: Record<string, Tensor> = {};
  const wanted: Record<string, Awaited<ReturnType<typeof oracleTensor>>> = {};
  for (const [name, tensor] of Object.entries(batch)) {
    feeds[name] = toTensor(nodeRuntime.Tensor, tensor);
    wanted[name] = await oracleTensor(tensor);
  }
  const [loss = ''] = ours.trainingOutputNames;
  const found = Number((await ours.runTrainStep(feeds))[loss]?.data[0]);
  const right = Number((await theirs.runTrainStep(wanted))[loss]?.data[0]);
  expect(Math.abs(found - right) / Math.abs(right)).toBeLessThan(1e-4);
  return found;
}

async function expectSameWeights(ours: TrainingSession, theirs: OrtTrainingSession) {
  const wanted = await theirs.getContiguousParameters(true);
  expectClose(
    fromTensor(await ours.getContiguousParameters(true)),
    { type: 'float32', dims: wanted.dims, data: wanted.data },
    1e-4,
  );
}

const vectors = (): Batch => ({ x: random(6, 5), target: random(6, 3) });

test.each([
  ['SGD', { kind: 'sgd' }],
  ['AdamW', { kind: 'adamw' }],
] as const)('gradients that %s clipped are what later ones are added to', async (_, optimizer) => {
  const { ours, theirs } = await both(
    await generated(models.mlp(), {
      loss: 'mse',
      optimizer: { ...optimizer, clipGradNorm: { maxNorm: 0.01 } },
    }),
  );
  ours.learningRate = 0.001;
  for (const reset of [false, false, true, false, true, true]) {
    await trainBoth(ours, theirs, vectors());
    await ours.runOptimizerStep();
    await theirs.runOptimizerStep();
    await expectSameWeights(ours, theirs);
    if (!reset) continue;
    await ours.lazyResetGrad();
    await theirs.lazyResetGrad();
  }
  await ours.release();
  await theirs.release();
});

test('a label of -1 is ignored where the model does not say which', async () => {
  const { ours, theirs } = await both(await generated(models.mlp()));
  for (let i = 0; i < 3; i++) {
    await trainBoth(ours, theirs, { x: random(5, 5), labels: int64([0, -1, 2, i, -1]) });
    await ours.runOptimizerStep();
    await theirs.runOptimizerStep();
    await expectSameWeights(ours, theirs);
  }
  const x = toTensor(nodeRuntime.Tensor, random(2, 5));
  const labels = toTensor(nodeRuntime.Tensor, int64([-2, 0]));
  await expect(ours.runTrainStep({ x, labels })).rejects.toThrow('The label -2 is out of range');
  await ours.release();
  await theirs.release();
});

/** The label to ignore as an input of its own, as a loss has it that was traced. */
const withIgnoredInput = (model: Model): Model => ({
  ...model,
  opsets: new Map([...model.opsets, ['com.microsoft', 1]]),
  graph: {
    ...model.graph,
    inputs: [...model.graph.inputs, { name: 'ignored', type: 'int64', shape: [] }],
    nodes: model.graph.nodes.map((node) => {
      const grad = node.opType.endsWith('Grad');
      const [, base] = /^(SoftmaxCrossEntropyLoss)(Grad)?$/.exec(node.opType) ?? [];
      if (base === undefined) return node;
      const inputs = [...node.inputs, ...Array.from({ length: 4 }, () => '')].slice(
        0,
        grad ? 4 : 3,
      );
      return {
        ...node,
        domain: 'com.microsoft',
        opType: `${base}Internal${grad ? 'Grad' : ''}`,
        inputs: [...inputs, 'ignored'],
      };
    }),
  },
});

test('the label to ignore may be given with the batch', async () => {
  const set = await generated(models.mlp());
  const { checkpointState, trainModel, evalModel } = set;
  const { ours, theirs } = await both({
    ...set,
    trainModel: edited(trainModel, withIgnoredInput),
    evalModel: edited(evalModel, withIgnoredInput),
  });
  const scalar = (label: number): TensorData => ({ ...int64([label]), dims: [] });
  const x = random(5, 5);
  for (const label of [-100, 7, 1]) {
    const ignored = scalar(label);
    await trainBoth(ours, theirs, { x, labels: int64([0, label, 2, 1, label]), ignored });
    await ours.runOptimizerStep();
    await theirs.runOptimizerStep();
    await expectSameWeights(ours, theirs);
  }
  const feeds = (labels: readonly number[], label: number) =>
    Object.fromEntries(
      Object.entries({ x, labels: int64(labels), ignored: scalar(label) }).map(([name, tensor]) => [
        name,
        toTensor(nodeRuntime.Tensor, tensor),
      ]),
    );
  const right = feeds([0, 7, 2, 1, 7], 7);
  const wrong = feeds([0, 7, 2, -1, 7], 7);
  const message = /label -1 is out of range.*input "labels", row 3/s;
  await ours.checkData(right);
  await expect(ours.checkData(wrong)).rejects.toThrow(message);
  await ours.runEvalStep(right);
  await expect(ours.runEvalStep(wrong)).rejects.toThrow(message);
  const rows = [
    [0, 1, 2],
    [2, 3, 4],
  ];
  await expect(ours.steps({ data: wrong, rows })).rejects.toThrow(message);
  await expect(ours.steps([right, wrong])).rejects.toThrow(message);
  const { losses } = await ours.steps({ data: right, rows });
  const again = await evaluate(ours, right, { batchSize: 2 });
  expect(again.examples).toBe(5);
  expect([...losses, again.loss].every(Number.isFinite)).toBe(true);
  await ours.release();
  await theirs.release();
  const plain = await TrainingSession.create({
    checkpointState,
    trainModel,
    evalModel,
  } as Artifacts);
  await expect(plain.checkData(right)).rejects.toThrow(/no input "ignored"/);
  await plain.release();
});

/** Every initializer that is no float becomes a frozen parameter. */
function withIntegersFrozen(set: Set): Set {
  const checkpoint = readOrtCheckpoint(set.checkpointState);
  const frozen = new Map(checkpoint.frozen);
  const parameters = ['heads', 'joined'];
  const move = (model: Model): Model => {
    const initializers = new Map(model.graph.initializers);
    const moved = parameters.map((name) => {
      const tensor = initializers.get(name) as TensorData;
      initializers.delete(name);
      frozen.set(name, tensor);
      return { name, type: tensor.type, shape: tensor.dims };
    });
    const inputs = [...model.graph.inputs];
    const first = inputs.findIndex(({ name }) => checkpoint.trainable.has(name));
    inputs.splice(first, 0, ...moved);
    return { ...model, graph: { ...model.graph, initializers, inputs } };
  };
  return {
    ...set,
    trainModel: edited(set.trainModel, move),
    evalModel: edited(set.evalModel, move),
    checkpointState: writeOrtCheckpoint({ ...checkpoint, frozen }),
  };
}

test('shapes that were made frozen parameters are known, and stay as they are', async () => {
  const set = withIntegersFrozen(await generated(models.transformer()));
  const { ours, theirs } = await both(set);
  expect(ours.trainingInputNames).toEqual(theirs.trainingInputNames);
  expect(ours.frozenNames).toEqual(expect.arrayContaining(['heads', 'joined']));
  for (const length of [4, 3]) {
    await trainBoth(ours, theirs, { x: random(2, length, 8), labels: int64([1, 3]) });
    await ours.runOptimizerStep();
    await theirs.runOptimizerStep();
    await expectSameWeights(ours, theirs);
  }
  const heads = await ours.getParameter('heads');
  expect([...heads.data]).toEqual([0n, 0n, 2n, 4n]);
  await ours.setParameter('heads', heads);
  await expect(ours.setParameter('heads', int64([0, 0, 4, 2]))).rejects.toThrow(
    '"heads" is part of the model and cannot be changed',
  );
  const again = readOrtCheckpoint(await ours.checkpoint({ format: 'ort' }));
  expect([...again.frozen.keys()]).toEqual(expect.arrayContaining(['heads', 'joined']));
  await ours.loadCheckpoint(await ours.checkpoint());
  expect((await ours.exportModel()).length).toBeGreaterThan(0);
  await ours.release();
  await theirs.release();
});

/** As the tool leaves batch norms of a model that was exported for training: mode 0, outputs of mode 1. */
const withTrainingOutputs = (model: Model): Model => ({
  ...model,
  graph: {
    ...model.graph,
    nodes: model.graph.nodes.map((node) =>
      node.opType === 'BatchNormalization'
        ? {
            ...node,
            outputs: [...node.outputs.slice(0, 1), 'next_mean', 'next_variance'],
            attributes: { ...node.attributes, training_mode: { type: 'int', value: 0 } as const },
          }
        : node,
    ),
  },
});

test('an eval_model with batch norms that ORT itself refuses evaluates and is exported', async () => {
  const plain = await generated(models.convolutional());
  const set = { ...plain, evalModel: edited(plain.evalModel, withTrainingOutputs) };
  const { checkpointState, trainModel, evalModel } = set;
  const refused = createOracleSession({ checkpoint: checkpointState, trainModel, evalModel });
  await expect(refused).rejects.toBeDefined();
  const batch = { x: random(4, 3, 8, 8), labels: int64([0, 3, 1, 2]) };
  const feeds = Object.fromEntries(
    Object.entries(batch).map(([name, tensor]) => [name, toTensor(nodeRuntime.Tensor, tensor)]),
  );
  const lossOf = async (files: Set) => {
    const session = await TrainingSession.create(files as Artifacts);
    await session.step(feeds);
    const loss = Number(Object.values(await session.runEvalStep(feeds))[0]?.data[0]);
    const exported = await nodeRuntime.InferenceSession.create(await session.exportModel());
    const [y] = Object.values(await exported.run({ x: feeds.x as Tensor }));
    await session.release();
    return [loss, ...((y as Tensor).data as Float32Array)];
  };
  const wanted = await lossOf(plain);
  expect(await lossOf(set)).toEqual(wanted);
  const converted = await convertArtifacts(set as Artifacts);
  expect(await lossOf({ ...set, ...converted } as Set)).toEqual(wanted);
});

/** Inputs of a product quantised and back again, as a model that is aware of quantisation has them. */
const withQuantization = (model: Model): Model => {
  const scale = 'half';
  const isRounded = (name: string) => name !== 'v';
  const around = (name: string) =>
    [
      ['QuantizeLinear', name, `${name}/q`],
      ['DequantizeLinear', `${name}/q`, `${name}/d`],
    ].map(([opType = '', from = '', to = '']) => ({
      ...{ name: to, opType, domain: '', attributes: {} },
      ...{ inputs: [from, scale], outputs: [to] },
    }));
  const nodes = model.graph.nodes.flatMap((node) =>
    node.opType === 'MatMul'
      ? [
          ...node.inputs.filter(isRounded).flatMap(around),
          { ...node, inputs: node.inputs.map((name) => (isRounded(name) ? `${name}/d` : name)) },
        ]
      : [node],
  );
  const half: TensorData = { type: 'float32', dims: [], data: Float32Array.of(0.5) };
  const initializers = new Map([...model.graph.initializers, [scale, half]]);
  return { ...model, graph: { ...model.graph, nodes, initializers } };
};

test('an eval_model that quantises weights evaluates', async () => {
  const { add, weight, model } = modelWriter();
  const hidden = add('Relu', [add('MatMul', ['x', weight('w', [5, 4])])]);
  add('MatMul', [hidden, weight('v', [4, 3])], {}, 'y');
  const set = await generated(model(['n', 5], ['n', 3]), { loss: 'mse' });
  const exact = (...dims: number[]) => map(random(...dims), (v) => Math.round(v + 1));
  const feeds = Object.fromEntries(
    Object.entries({ x: exact(6, 5), target: exact(6, 3) }).map(([name, tensor]) => [
      name,
      toTensor(nodeRuntime.Tensor, tensor),
    ]),
  );
  const w = exact(5, 4);
  const losses: number[] = [];
  for (const evalModel of [set.evalModel, edited(set.evalModel, withQuantization)]) {
    const session = await TrainingSession.create({ ...set, evalModel } as Artifacts);
    await session.setParameter('w', w);
    losses.push(Number(Object.values(await session.runEvalStep(feeds))[0]?.data[0]));
    await session.release();
  }
  expect(losses[1]).toBeCloseTo(losses[0] as number, 5);
});
