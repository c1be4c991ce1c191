import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readOrtCheckpoint } from '../../packages/core/src/artifacts/ort-checkpoint.js';
import { opsWithoutOrtKernel } from '../../packages/core/src/artifacts/ort-kernels.js';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import type { Attributes } from '../../packages/core/src/graph/value.js';
import { adamw, type GenerateOptions } from '../../packages/core/src/index.js';
import { crossEntropy, nll } from '../../packages/core/src/losses/index.js';
import { generateArtifacts, nodeRuntime, TrainingSession } from '../../packages/core/src/node.js';
import type { Model, TensorData } from '../../packages/core/src/onnx/ir.js';
import { decodeModel, encodeModel } from '../../packages/core/src/onnx/model.js';
import { fromTensor, toTensor } from '../../packages/core/src/runtime/tensors.js';
import { at, below, goldenNetworks } from '../parity/golden.js';
import { generator, int64 } from '../support/compare.js';
import { models, modelWriter } from '../support/forward-models.js';
import {
  createOracleSession,
  type OrtTensor,
  oracleTensor,
  runOracleNode,
} from '../support/ort-training.js';

type Batch = Readonly<Record<string, TensorData>>;

/** Five steps by ORT's own training runtime. */
async function byOrt(artifacts: Awaited<ReturnType<typeof generateArtifacts>>, batches: Batch[]) {
  const session = await createOracleSession({
    checkpoint: artifacts.checkpointState,
    trainModel: artifacts.trainModel,
    evalModel: artifacts.evalModel,
    optimizerModel: artifacts.optimizerModel as Uint8Array,
  });
  const losses: number[] = [];
  const outputs: (readonly number[])[] = [];
  let evaluation = 0;
  for (const batch of batches) {
    const feeds: Record<string, OrtTensor> = {};
    for (const [name, tensor] of Object.entries(batch)) feeds[name] = await oracleTensor(tensor);
    const results = await session.runTrainStep(feeds);
    const [loss = '', ...others] = session.trainingOutputNames;
    losses.push(Number(results[loss]?.data[0]));
    for (const name of others)
      outputs.push(Array.from(results[name]?.data as Float32Array).slice(0, 4));
    await session.runOptimizerStep();
    await session.lazyResetGrad();
    const evaluated = await session.runEvalStep(feeds);
    evaluation = Number(evaluated[session.evalOutputNames[0] ?? '']?.data[0]);
  }
  const names = session.trainingInputNames;
  await session.release();
  return { losses, outputs, evaluation, names };
}

/** Five steps by Gradware, from the artifacts or from the forward model. */
async function byGradware(session: TrainingSession, batches: Batch[]) {
  const losses: number[] = [];
  const outputs: (readonly number[])[] = [];
  let evaluation = 0;
  for (const batch of batches) {
    const feeds = Object.fromEntries(
      Object.entries(batch).map(([name, tensor]) => [name, toTensor(nodeRuntime.Tensor, tensor)]),
    );
    const result = await session.step(feeds);
    losses.push(result.loss);
    for (const tensor of Object.values(result.outputs))
      outputs.push(Array.from(fromTensor(tensor).data as Float32Array).slice(0, 4));
    const evaluated = await session.runEvalStep(feeds);
    evaluation = Number(evaluated[session.evalOutputNames[0] ?? '']?.data[0]);
  }
  await session.release();
  return { losses, outputs, evaluation };
}

function close(ours: readonly number[], theirs: readonly number[]): void {
  expect(ours).toHaveLength(theirs.length);
  for (const [i, value] of theirs.entries())
    expect(Math.abs((ours[i] ?? Number.NaN) - value)).toBeLessThan(1e-4 * Math.max(1, value));
}

function read(name: string): Model {
  const url = new URL(`../../models/digits/${name}.onnx`, import.meta.url);
  return decodeModel(new Uint8Array(readFileSync(url)));
}

const numbers = generator(11);
const labels = (batch: number, classes: number, seed = 7) =>
  int64(Array.from({ length: batch }, (_, i) => (i * seed + batch) % classes));
/** Batches of two sizes, so that nothing of the first may be left in the graph. */
const sizes = [6, 6, 4, 9, 6];
const images = () =>
  sizes.map((batch) => ({ image: numbers(batch, 1, 8, 8), labels: labels(batch, 10) }));
const vectors = (output: number, name = 'target') =>
  sizes.map((batch) => ({ x: numbers(batch, 5), [name]: numbers(batch, output) }));
const tokens = () =>
  sizes.map((batch) => {
    const length = batch + 1;
    return {
      x: numbers(batch, length, 8),
      labels: int64(Array.from({ length: batch }, (_, i) => i % 4)),
    };
  });

/** A network that PyTorch exported, with the batches that it was trained on. */
function goldenCase(name: string): Case {
  const url = new URL(`../golden/model-${name}.onnx`, import.meta.url);
  const model = decodeModel(new Uint8Array(readFileSync(url)));
  const own = below(goldenNetworks(), name);
  const fed = new Map([...own].filter(([key]) => key === 'x' || key === 'labels'));
  const ints = new Set(['labels', ...(model.graph.inputs[0]?.type === 'int64' ? ['x'] : [])]);
  const count = fed.get('labels')?.dims[0] ?? 1;
  const batches = sizes.map((_, i): Batch => {
    const tensors = [...at(fed, i % count)].map(([key, tensor]) => [
      key,
      ints.has(key) ? int64(Array.from(tensor.data as Float32Array), tensor.dims) : tensor,
    ]);
    return Object.fromEntries(tensors);
  });
  return { title: `the network ${name}`, model, options: {}, batches };
}

interface Case {
  readonly title: string;
  readonly model: Model;
  readonly options: GenerateOptions;
  readonly batches: Batch[];
}

const cases: readonly Case[] = [
  { title: 'the digits MLP', model: read('mlp'), options: {}, batches: images() },
  { title: 'the digits CNN', model: read('cnn'), options: {}, batches: images() },
  {
    title: 'frozen parameters and an additional output',
    model: read('cnn'),
    options: { frozenParams: ['conv1.*'], additionalOutputNames: ['logits'] },
    batches: images(),
  },
  {
    title: 'SGD',
    model: read('mlp'),
    options: { optimizer: 'sgd', requiresGrad: ['*.weight'] },
    batches: images(),
  },
  {
    title: "AdamW in PyTorch's form, clipped",
    model: read('mlp'),
    options: {
      optimizer: {
        kind: 'adamw',
        mode: 'torch',
        epsilon: 1e-8,
        weightDecay: 0.5,
        clipGradNorm: { maxNorm: 0.1 },
      },
    },
    batches: images(),
  },
  ...['mse', 'l1', 'huber', 'bce-with-logits', 'kl-divergence', 'hinge', 'cosine'].map((loss) => ({
    title: loss,
    model: models.mlp(),
    options: { loss },
    batches: vectors(3),
  })),
  ...[
    crossEntropy({ classWeights: [0.5, 2, 1], labelSmoothing: 0.1, ignoreIndex: 1 }),
    crossEntropy({ axis: -1, reduction: 'sum' }),
    nll({ classWeights: [0.5, 2, 1], ignoreIndex: 0 }),
  ].map((loss, i) => ({
    title: `${loss.name}, with options ${i + 1}`,
    model: models.mlp(),
    options: { loss },
    batches: sizes.map((batch) => ({ x: numbers(batch, 5), labels: labels(batch, 3) })),
  })),
  {
    title: 'a transformer block of two open lengths',
    model: models.transformer(),
    options: {},
    batches: tokens(),
  },
  {
    title: 'a GRU',
    model: models.recurrent(),
    options: {},
    batches: sizes.map((batch) => ({ x: numbers(batch, 5, 5), labels: labels(batch, 4) })),
  },
  ...['resnet', 'char-lstm', 'bi-gru', 'decoder', 'vit', 'mobilenet', 'unet'].map(goldenCase),
  goldenCase('spatial-transformer'),
  {
    title: 'images that are turned',
    model: models.turning(),
    options: {},
    batches: sizes.map((batch) => ({ x: numbers(batch, 2, 6, 5), labels: labels(batch, 4) })),
  },
  {
    title: 'images of any size',
    model: models.pyramid(),
    options: {},
    batches: sizes.map((batch, i) => ({
      x: numbers(batch, 3, 8 + 3 * i, 24 - 5 * i),
      labels: labels(batch, 4),
    })),
  },
  {
    title: 'branches of one value, and a vector',
    model: models.branches(),
    options: {},
    batches: sizes.map(() => ({ x: numbers(6, 3, 8, 8), labels: labels(6, 4) })),
  },
  {
    title: 'convolution, batch norm and pooling',
    model: models.convolutional(),
    options: {},
    batches: sizes.map((batch) => ({ x: numbers(batch, 3, 8, 8), labels: labels(batch, 4) })),
  },
];

describe.each(cases)('artifacts of $title', ({ model, options, batches }) => {
  test("are trained alike by ORT's own runtime and by ours", async () => {
    const artifacts = await generateArtifacts(encodeModel(model), options);
    expect(artifacts.withoutOrtKernel).toEqual([]);
    const theirs = await byOrt(artifacts, batches);
    const session = await TrainingSession.create(artifacts);
    const ours = await byGradware(session, batches);
    close(ours.losses, theirs.losses);
    expect(new Set(theirs.losses).size).toBe(5);
    for (const [i, output] of ours.outputs.entries()) close(output, theirs.outputs[i] ?? []);
    expect(ours.outputs).toHaveLength(theirs.outputs.length);
    close([ours.evaluation], [theirs.evaluation]);
  });
});

const decode = (bytes: Uint8Array | undefined) => decodeModel(bytes as Uint8Array);

test('the models have the inputs, outputs and names that ORT gives them', async () => {
  const artifacts = await generateArtifacts(encodeModel(read('cnn')), {
    requiresGrad: ['conv*', 'fc.*'],
    additionalOutputNames: ['logits'],
  });
  for (const [role, file] of [
    ['trainModel', 'training_model.onnx'],
    ['evalModel', 'eval_model.onnx'],
  ] as const) {
    const ours = decode(artifacts[role]).graph;
    const url = new URL(`../../models/digits/artifacts/cnn/${file}`, import.meta.url);
    const theirs = decode(new Uint8Array(readFileSync(url))).graph;
    expect(ours.inputs).toEqual(theirs.inputs);
    expect(ours.outputs.slice(1)).toEqual(theirs.outputs.slice(1));
    expect(ours.outputs[0]).toMatchObject({ type: 'float32', shape: [] });
  }
  const ours = decode(artifacts.optimizerModel).graph;
  const url = new URL('../../models/digits/artifacts/cnn/optimizer_model.onnx', import.meta.url);
  const theirs = decode(new Uint8Array(readFileSync(url))).graph;
  expect(ours.inputs).toEqual(theirs.inputs);
  expect(ours.nodes.map(({ attributes }) => attributes)).toEqual(
    theirs.nodes.map(({ attributes }) => attributes),
  );
});

test('a forward model and its artifacts train alike', async () => {
  const bytes = encodeModel(models.transformer());
  const batches = tokens();
  const artifacts = await TrainingSession.create(await generateArtifacts(bytes));
  const forward = await TrainingSession.create(bytes, {
    optimizer: adamw({ form: 'huggingface', epsilon: 1e-6, weightDecay: 0 }),
    learningRate: 1e-3,
  });
  const [theirs, ours] = [await byGradware(artifacts, batches), await byGradware(forward, batches)];
  close(ours.losses, theirs.losses);
  close([ours.evaluation], [theirs.evaluation]);
});

test('a parameter that the loss does not reach is an error', async () => {
  const { add, weight, model } = modelWriter();
  add('Gemm', ['x', weight('w', [5, 3])], {}, 'y');
  add('Gemm', ['x', weight('v', [5, 3])], {}, 'z');
  const bytes = encodeModel(model(['n', 5], ['n', 3]));
  const made = generateArtifacts(bytes, { loss: 'mse', requiresGrad: ['*'] });
  await expect(made).rejects.toThrow(/does not depend on v/);
  const without = await generateArtifacts(bytes, { loss: 'mse' });
  expect(decode(without.trainModel).graph.inputs.map(({ name }) => name)).toEqual([
    ...['x', 'target', 'w', 'w_grad.accumulation.buffer', 'lazy_reset_grad'],
  ]);
});

test('a nominal checkpoint, a prefix, no optimizer', async () => {
  const { files, nominalCheckpointState, optimizerModel } = await generateArtifacts(
    encodeModel(models.mlp()),
    { loss: 'mse', optimizer: null, nominalCheckpoint: true, prefix: 'small_' },
  );
  expect([...files.keys()]).toEqual([
    ...['small_training_model.onnx', 'small_eval_model.onnx'],
    ...['small_checkpoint', 'small_nominal_checkpoint'],
  ]);
  expect(optimizerModel).toBeUndefined();
  const nominal = readOrtCheckpoint(nominalCheckpointState as Uint8Array);
  expect(nominal.nominal).toBe(true);
  expect([...nominal.trainable.keys()]).toEqual(['w1', 'b1', 'w2', 'b2']);
});

test('a dimension that is fixed is fixed in all models', async () => {
  const artifacts = await generateArtifacts(encodeModel(models.transformer()), {
    dimensions: { length: 6 },
  });
  for (const role of ['trainModel', 'evalModel'] as const)
    expect(decode(artifacts[role]).graph.inputs[0]?.shape).toEqual(['batch', 6, 8]);
});

test('first axes under several names are one batch where no other sizes fit, as tf2onnx names them', async () => {
  const { add, weight, model } = modelWriter();
  add('Gemm', [add('Add', ['x', 'z']), weight('w', [5, 3])], {}, 'y');
  const { graph, ...rest } = model(['unk__1', 5], ['unk__3', 3]);
  const inputs = [...graph.inputs, { name: 'z', type: 'float32' as const, shape: ['unk__2', 5] }];
  const artifacts = await generateArtifacts(encodeModel({ ...rest, graph: { ...graph, inputs } }));
  const ours = decode(artifacts.trainModel).graph.inputs.slice(0, 3);
  expect(ours.map(({ shape }) => shape)).toEqual([['unk__1', 5], ['unk__1', 5], ['unk__1']]);
  const batches = [2, 3].map((n) => ({ x: numbers(n, 5), z: numbers(n, 5), labels: labels(n, 3) }));
  const { losses } = await byGradware(await TrainingSession.create(artifacts), batches);
  close(losses, (await byOrt(artifacts, batches)).losses);
});

test('a branch stays one, in artifacts that ORT trains, too', async () => {
  const { add, weight, model } = modelWriter();
  const h = add('MatMul', ['x', weight('w', [5, 8])]);
  const above = add('Greater', [add('ReduceMax', [h], { keepdims: 0 }), weight('limit', [])]);
  const branch = (opType: string) => ({
    name: opType,
    nodes: [
      {
        ...{ name: opType, opType, domain: '' },
        ...{ inputs: [h], outputs: [`${opType}_h`], attributes: {} },
      },
    ],
    inputs: [],
    outputs: [{ name: `${opType}_h`, type: 'float32' as const }],
    initializers: new Map(),
    valueInfo: new Map(),
  });
  const chosen = add('If', [above], {
    then_branch: branch('Tanh'),
    else_branch: branch('Sigmoid'),
  });
  add('MatMul', [chosen, weight('v', [8, 3])], {}, 'y');
  const forward = encodeModel(model(['n', 5], ['n', 3]));
  const artifacts = await generateArtifacts(forward, { requiresGrad: ['w', 'v'], loss: 'mse' });
  const ops = decode(artifacts.trainModel).graph.nodes.map(({ opType }) => opType);
  expect(ops).toContain('If');
  expect(ops).not.toContain('Select');
  const batches = vectors(3);
  const wanted = await byOrt(artifacts, batches);
  const found = await byGradware(await TrainingSession.create(artifacts), batches);
  close(found.losses, wanted.losses);
  close([found.evaluation], [wanted.evaluation]);
});

test('what is unrolled over an open dimension says which node, and what to do', async () => {
  const bytes = encodeModel(models.recurrent('time'));
  const made = generateArtifacts(bytes, {});
  await expect(made).rejects.toThrow(/once for every size.*node.*dimensions: \{/s);
  const fixed = await generateArtifacts(bytes, { dimensions: { time: 4 } });
  expect(decode(fixed.trainModel).graph.inputs[0]?.shape).toEqual(['batch', 4, 5]);
});

test.each<[string, string, readonly TensorData[], Attributes, number]>([
  ['ScaledSum', 'com.microsoft', [numbers(3), numbers(3)], { scale_0: 1, scale_1: 1 }, 1],
  [
    'ConvTransposeGrad',
    'com.microsoft',
    [numbers(1, 2, 4, 4), numbers(1, 3, 3, 3), numbers(3, 2, 2, 2)],
    { kernel_shape: [2, 2] },
    2,
  ],
  ['BatchScale', 'com.microsoft', [numbers(3)], {}, 2],
  [
    'DeformConv',
    '',
    [numbers(1, 1, 3, 3), numbers(1, 1, 2, 2), numbers(1, 8, 2, 2)],
    { kernel_shape: [2, 2] },
    1,
  ],
])("ORT's runtime has no kernel for %s", async (opType, domain, inputs, attributes, count) => {
  const node = {
    name: 'n',
    opType,
    domain,
    inputs: inputs.map((_, i) => `x${i}`),
    outputs: ['y'],
    attributes: {},
  };
  const title = domain === '' ? opType : `${domain}.${opType}`;
  expect(opsWithoutOrtKernel({ nodes: [node] }, () => 'float32')).toEqual([title]);
  const outputs = Array.from({ length: count }, () => ({ type: 'float32' as const }));
  await expect(
    runOracleNode({ opType, domain, inputs, attributes, outputs, opset: 19 }),
  ).rejects.toBeDefined();
});

test('an element type that no training kernel of ORT has is named', async () => {
  const { add, weight, model } = modelWriter();
  const wide = add('Gemm', ['x', weight('w', [5, 7]), weight('b', [7])]);
  add('Gemm', [wide, weight('v', [7, 3])], {}, 'y');
  const plain = model(['batch', 5], ['batch', 3]);
  const double = {
    ...plain,
    graph: {
      ...plain.graph,
      inputs: plain.graph.inputs.map((info) => ({ ...info, type: 'float64' as const })),
      outputs: plain.graph.outputs.map((info) => ({ ...info, type: 'float64' as const })),
      initializers: new Map(
        [...plain.graph.initializers].map(([name, { dims, data }]) => [
          name,
          tensorOf('float64', Array.from(data as Float32Array), dims),
        ]),
      ),
    },
  };
  const artifacts = await generateArtifacts(encodeModel(double), { loss: 'mse' });
  expect(artifacts.withoutOrtKernel).toEqual(['com.microsoft.InPlaceAccumulatorV2 (float64)']);
  expect(artifacts.warnings.join()).toMatch(/InPlaceAccumulatorV2/);
  const refused = createOracleSession({
    checkpoint: artifacts.checkpointState,
    trainModel: artifacts.trainModel,
    optimizerModel: artifacts.optimizerModel as Uint8Array,
  });
  await expect(refused).rejects.toBeDefined();
});

test.each<[string, GenerateOptions, RegExp]>([
  ['an unknown output', { additionalOutputNames: ['z'] }, /no value "z"/],
  ['an unknown dimension', { dimensions: { length: 3 } }, /There are batch/],
  ['a size of nothing', { dimensions: { batch: 0 } }, /whole number/],
  ['an unknown loss', { loss: 'mze' }, /mse/],
  ['a parameter that is not there', { requiresGrad: ['w9'] }, /w9/],
  ['an optimizer that is not', { optimizer: { kind: 'adamw', betas: [1, 2] } }, /betas/],
  [
    'AdamW that cannot be',
    { optimizer: { kind: 'adamw', mode: 'torch', biasCorrection: false } },
    /bias correction/,
  ],
])('%s is refused', async (_, options, problem) => {
  const made = generateArtifacts(encodeModel(models.mlp()), { loss: 'mse', ...options });
  await expect(made).rejects.toThrow(problem);
});

test('what ORT would take for a gradient is refused', async () => {
  const { add, weight, model } = modelWriter();
  add('Gemm', ['x', weight('w', [5, 3])], {}, 'y_grad');
  const made = generateArtifacts(encodeModel(model(['n', 5], ['n', 3], 'y_grad')), {
    loss: 'mse',
    additionalOutputNames: ['y_grad'],
  });
  await expect(made).rejects.toThrow(/take "y_grad" for a gradient/);
});

/** A classifier whose labels and explanations are made off the way to the loss. */
function classifier(): Model {
  const { add, weight, ints, model } = modelWriter();
  const scores = add('Gemm', ['x', weight('w', [5, 3])], {}, 'scores');
  add('Softmax', [scores], {}, 'probabilities');
  add('ArgMax', [scores], { axis: 1, keepdims: 0 }, 'best');
  ints('classes', [10, 20, 30]);
  // What depends on the data in its shape, and what follows from the size in no simple way.
  add('NonZero', [add('Relu', [scores])], {}, 'found');
  add('Range', [ints('zero', [0]), 'best', ints('one', [1])], {}, 'counted');
  const plain = model(['batch', 5], ['batch', 3], 'scores');
  const beside = (opType: string, domain: string, inputs: readonly string[], output: string) => ({
    ...{ name: output, opType, domain, inputs, outputs: [output], attributes: {} },
  });
  return {
    ...plain,
    // A version of ai.onnx.ml that ORT 1.19.2 does not know.
    opsets: new Map([...plain.opsets, ['ai.onnx.ml', 99], ['acme', 7]]),
    graph: {
      ...plain.graph,
      nodes: [
        ...plain.graph.nodes,
        beside('ArrayFeatureExtractor', 'ai.onnx.ml', ['classes', 'best'], 'label'),
        beside('Explain', 'acme', ['scores', 'label'], 'why'),
      ],
      outputs: [{ name: 'label' }, ...plain.graph.outputs, { name: 'why' }, { name: 'found' }],
    },
  };
}

test('what neither the loss nor a wanted output needs is left out, in artifacts that ORT trains', async () => {
  const bytes = encodeModel(classifier());
  const artifacts = await generateArtifacts(bytes, {
    lossInputNames: ['scores'],
    additionalOutputNames: ['probabilities'],
  });
  for (const role of ['trainModel', 'evalModel'] as const) {
    const { graph, opsets } = decode(artifacts[role]);
    const ops = graph.nodes.map(({ opType }) => opType);
    expect(ops).toEqual(expect.arrayContaining(['Gemm', 'Softmax']));
    for (const op of ['ArrayFeatureExtractor', 'Explain', 'NonZero', 'ArgMax', 'Range'])
      expect(ops).not.toContain(op);
    expect([...opsets.keys()].sort()).toEqual(['', 'com.microsoft']);
  }
  const batches = sizes.map((batch) => ({ x: numbers(batch, 5), labels: labels(batch, 3) }));
  const wanted = await byOrt(artifacts, batches);
  const found = await byGradware(await TrainingSession.create(artifacts), batches);
  close(found.losses, wanted.losses);
  expect(new Set(wanted.losses).size).toBe(5);
  close([found.evaluation], [wanted.evaluation]);
});

test.each<[string, GenerateOptions]>([
  ['the loss', {}],
  ['a wanted output', { lossInputNames: ['scores'], additionalOutputNames: ['label'] }],
])('an operator that cannot run and that %s needs is refused', async (_, options) => {
  const made = generateArtifacts(encodeModel(classifier()), options);
  await expect(made).rejects.toThrow(/cannot run ai\.onnx\.ml\.ArrayFeatureExtractor/);
});

test.each([
  ['GridSample', /no simple way[\s\S]*dimensions: \{ <name>: <size> \}/],
  ['Resize', /no simple way[\s\S]*dimensions: \{ <name>: <size> \}/],
])('images of open sizes through %s are refused, and train at fixed ones', async (op, problem) => {
  const { add, weight, ints, model } = modelWriter();
  const pads = { pads: [1, 1, 1, 1] };
  const features = add('Conv', ['x', weight('k', [2, 2, 3, 3])], pads);
  if (op === 'GridSample')
    add(op, [features, add('Transpose', [features], { perm: [0, 2, 3, 1] })], {}, 'y');
  else add(op, [features, '', '', ints('sizes', [1, 2, 9, 7])], { mode: 'linear' }, 'y');
  const bytes = encodeModel(model([1, 2, 'h', 'w'], [1, 2, 'H', 'W']));
  await expect(generateArtifacts(bytes, { loss: 'mse' })).rejects.toThrow(problem);
  const fixed = await generateArtifacts(bytes, { loss: 'mse', dimensions: { h: 6, w: 5 } });
  expect(fixed.trainModel.length).toBeGreaterThan(0);
});
