import { Tensor } from 'onnxruntime-node';
import { afterAll, expect, test, vi } from 'vitest';
import { decodeTrainingState, encodeTrainingState } from '../artifacts/training-state.js';
import { tensorOf } from '../graph/constants.js';
import { crossEntropy } from '../losses/index.js';
import { container, TrainingSession } from '../node.js';
import type { Node, TensorData } from '../onnx/ir.js';
import { decodeModel, encodeModel } from '../onnx/model.js';
import { sgd } from '../optimizers/sgd.js';
import { constant } from '../options/options.js';
import {
  definePlugin,
  type GradientPlugin,
  gradientPlugin,
  type HostGradient,
} from '../plugins/plugin.js';
import type { Feeds, TrainingSession as Session, TrainingOptions } from './api.js';

/** scores = x w: 3 features, 4 classes. */
const model = encodeModel({
  graph: {
    name: 'linear',
    nodes: [
      {
        name: 'scores',
        opType: 'MatMul',
        domain: '',
        inputs: ['x', 'w'],
        outputs: ['scores'],
        attributes: {},
      },
    ],
    inputs: [{ name: 'x', type: 'float32', shape: ['n', 3] }],
    outputs: [{ name: 'scores', type: 'float32', shape: ['n', 4] }],
    initializers: new Map([
      [
        'w',
        tensorOf(
          'float32',
          Array.from({ length: 12 }, (_, i) => Math.sin(i)),
          [3, 4],
        ),
      ],
    ]),
    valueInfo: new Map(),
  },
  opsets: new Map([['', 17]]),
  irVersion: 8,
  functions: [],
  metadata: new Map(),
  producer: 'test',
});

const opened: Session[] = [];

async function open(options: TrainingOptions = {}): Promise<Session> {
  const session = await TrainingSession.create(model, {
    optimizer: sgd(),
    learningRate: 0.1,
    ...options,
  });
  opened.push(session);
  return session;
}

afterAll(async () => {
  for (const session of opened) await session.release();
});

function batch(examples = 5): Feeds {
  const x = Float32Array.from({ length: examples * 3 }, (_, i) => Math.cos(i));
  const labels = BigInt64Array.from({ length: examples }, (_, i) => BigInt(i % 4));
  return {
    x: new Tensor('float32', x, [examples, 3]),
    labels: new Tensor('int64', labels, [examples]),
  };
}

const weight = async (session: Session) => [
  ...((await session.getParameter('w')).data as Float32Array),
];

/** Options as JavaScript may give them. */
const untyped = (options: Readonly<Record<string, unknown>>) => open(options as TrainingOptions);

test.each([
  [{ plugin: [] }, /no option "plugin".*mean plugins/s],
  [{ zzz: 1 }, /no option "zzz".*There are executionProviders/s],
  [{ intraOpNumThread: 1 }, /no option "intraOpNumThread".*mean intraOpNumThreads/s],
  [{ plugins: definePlugin({ name: 'one', options: {} })() }, /must be a list/],
  [
    { plugins: [definePlugin({ name: 'one', options: {} })] },
    /makes plugins, and is none.*Call it/s,
  ],
  [{ plugins: [undefined] }, /Number 1 in the chain is no plugin/],
  [{ learningRate: Number.NaN }, /learning rate must be a number >= 0.*NaN/],
  [{ learningRate: -1 }, /learning rate must be/],
  [{ learningRate: '0.1' }, /learning rate must be/],
  [{ seed: 1.5 }, /seed must be a whole number/],
  [{ additionalOutputNames: ['score'] }, /no value "score" to return.*mean scores/s],
])('refuses the options %o', async (options, message) => {
  await expect(untyped(options)).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringMatching(message),
  });
});

test('refuses a learning rate below zero later, too', async () => {
  const session = await open();
  expect(() => {
    session.learningRate = -1;
  }).toThrow(/learningRate must be a number >= 0/);
  expect(() => session.settings.set('learningRate', '1' as never)).toThrow('not "1"');
});

test('looks through a whole data set before it is trained on', async () => {
  const session = await open();
  const data = batch(100);
  await session.checkData(data);
  (data.labels?.data as BigInt64Array)[97] = 4n;
  await expect(session.checkData(data)).rejects.toThrow(
    /label 4 is out of range: the model has 4 classes.*input "labels", row 97/s,
  );
  expect(session.stepCount).toBe(0);
  const ignoring = await open({ loss: crossEntropy({ ignoreIndex: 4 }) });
  await ignoring.checkData(data, { batchSize: 7 });
  const short = { ...data, x: batch(99).x as Tensor };
  await expect(session.checkData(short)).rejects.toThrow(/"x" has 99|"labels" has 100/);
  const { labels } = batch(100);
  await expect(session.checkData({ labels } as Feeds)).rejects.toThrow(/Nothing is fed.*"x"/);
  await session.step(batch());
});

test('refuses labels out of range that were written into a tensor after it was checked', async () => {
  const session = await open();
  const reused = batch();
  await session.step(reused);
  (reused.labels?.data as BigInt64Array)[3] = 4n;
  await expect(session.step(reused)).rejects.toThrow(/label 4 is out of range.*row 3/s);
  const { x, labels } = reused;
  const rows = [
    [0, 1],
    [2, 3],
  ];
  await expect(session.steps({ data: { x, labels } as Feeds, rows })).rejects.toThrow(/row 3/);
  const { losses } = await session.steps({
    data: { x, labels } as Feeds,
    rows: [
      [0, 1],
      [2, 4],
    ],
  });
  expect(losses).toHaveLength(2);
});

test('names the input whose type changes from one batch to the next', async () => {
  const session = await open();
  const other = { ...batch(), labels: new Tensor('int32', new Int32Array(5), [5]) };
  await expect(session.steps([batch(), other])).rejects.toThrow(/"labels" is int64.*not int32/);
});

test('refuses data sets of different lengths', async () => {
  const session = await open();
  const data = { ...batch(5), ...{ labels: batch(4).labels as Tensor } };
  await expect(session.steps({ data, rows: [[0, 1]] })).rejects.toThrow(
    /"labels" has 4 examples, and "x" has 5/,
  );
});

class Scaling implements GradientPlugin {
  readonly name = 'scaling';
  readonly factor = 2;
  transformHost(gradients: readonly HostGradient[]): readonly HostGradient[] {
    for (const { data } of gradients) data.set(data.map((value) => value * this.factor));
    return gradients;
  }
}

test('a host plugin has its own this, and its own copy of the gradients', async () => {
  const session = await open({ plugins: [new Scaling()] });
  const before = await weight(session);
  await session.runTrainStep(batch());
  const gradientOf = async () =>
    Array.from(((await session.gradients()).get('w') as Tensor).data as Float32Array);
  const gradient = await gradientOf();
  await session.runOptimizerStep();
  expect(await gradientOf()).toEqual(gradient);
  const after = await weight(session);
  after.forEach((w, i) => {
    expect(w).toBeCloseTo((before[i] ?? 0) - 0.1 * 2 * (gradient[i] ?? 0), 6);
  });
});

test('a host plugin inside another cuts every step, and leaves the gradients around it alone', async () => {
  const host = definePlugin({
    name: 'half',
    options: {},
    transformHost: (gradients) => {
      for (const { data } of gradients) data.set(data.map((value) => value / 2));
      return gradients;
    },
  });
  const around = definePlugin({
    name: 'around',
    options: { inner: constant(gradientPlugin, host()) },
    transform(gradients, { op, apply, metric }, { inner }) {
      const sent = apply(inner, gradients);
      metric('lost', op.globalNorm(gradients.map((g, i) => op.Sub(g, sent[i] as typeof g))));
      metric('norm', op.globalNorm(gradients));
      return sent;
    },
  });
  const session = await open({ plugins: [around()] });
  const { metrics, losses } = await session.steps([batch(), batch()]);
  expect(losses).toHaveLength(2);
  expect(metrics['around.lost']?.[1]).toBeCloseTo((metrics['around.norm']?.[1] ?? 0) / 2, 6);
});

test('returns the outputs that are fetched, by the names that onnxruntime-web/training took', async () => {
  const session = await open({ additionalOutputNames: ['scores'] });
  const [loss = '', ...others] = session.trainingOutputNames;
  expect(others).toEqual(['scores']);
  expect(Object.keys(await session.runTrainStep(batch()))).toEqual([loss, 'scores']);
  expect(Object.keys(await session.runTrainStep(batch(), ['scores']))).toEqual(['scores']);
  expect(Object.keys(await session.runTrainStep(batch(), { [loss]: null }, {}))).toEqual([loss]);
  expect(Object.keys(await session.runEvalStep(batch(), ['scores']))).toEqual(['scores']);
  expect(Object.keys(await session.runEvalStep(batch(), {}))).toEqual(session.evalOutputNames);
  await expect(session.runEvalStep(batch(), ['score'])).rejects.toThrow(
    /no output "score".*scores/s,
  );
  const stopped = { signal: AbortSignal.abort() };
  await expect(session.runTrainStep(batch(), stopped)).rejects.toMatchObject({ code: 'ABORTED' });
});

test('micro-batches draw dropout masks of their own, the first that of a step', async () => {
  const dropping = decodeModel(model);
  const [scores] = dropping.graph.nodes as [Node];
  const dropout: Node = {
    ...scores,
    name: 'drop',
    opType: 'Dropout',
    inputs: ['x', 'ratio', 'training'],
    outputs: ['kept'],
  };
  const graph = {
    ...dropping.graph,
    nodes: [dropout, { ...scores, inputs: ['kept', 'w'] }],
    initializers: new Map([
      ...dropping.graph.initializers,
      ['ratio', tensorOf('float32', [0.5], [])] as const,
      ['training', tensorOf('bool', [1], [])] as const,
    ]),
  };
  const train = async () => {
    const session = await TrainingSession.create(encodeModel({ ...dropping, graph }), {
      optimizer: sgd(),
      learningRate: 0,
    });
    opened.push(session);
    return session;
  };
  const session = await train();
  const lossOf = async () =>
    Number((await session.runTrainStep(batch()))[session.trainingOutputNames[0] ?? '']?.data[0]);
  const first = await lossOf();
  const second = await lossOf();
  expect(second).not.toBe(first);
  await session.runOptimizerStep();
  const { losses } = await (await train()).steps([batch(), batch()]);
  expect([first, await lossOf()]).toEqual([...losses]);
  // A whole step begins anew as well, so that a session resumed from its checkpoint draws the same.
  await session.step(batch());
  const { losses: longer } = await (await train()).steps([batch(), batch(), batch()]);
  expect(await lossOf()).toBe(longer[2]);
});

test('the container of a session may be given beside all other options', async () => {
  const own = container.createChildContainer();
  const session = await TrainingSession.create(model, { container: own, metrics: false });
  await session.release();
});

test('a plugin that hides another on the host is told how to say so', async () => {
  const host: GradientPlugin = { name: 'host', transformHost: (gradients) => gradients };
  const hiding: GradientPlugin = {
    name: 'hiding',
    transform: (gradients, { apply }) => apply(host, gradients),
  };
  const session = await open({ plugins: [hiding] });
  await expect(session.steps([batch(), batch()])).rejects.toMatchObject({
    code: 'PLUGIN_CONTRACT',
    message: expect.stringMatching(/names it in `inside`/),
  });
  const { loss } = await session.step(batch());
  expect(loss).toBeGreaterThan(0);
});

test('moments of another shape are refused, and nothing is replaced', async () => {
  const moments = { optimizer: sgd({ momentum: 0.9 }) };
  const first = await open(moments);
  await first.step(batch());
  const { tensors, ...rest } = decodeTrainingState(await first.checkpoint());
  const key = 'optimizer/momentum0/w';
  const swapped = { ...(tensors.get(key) as TensorData), dims: [4, 3] };
  const saved = encodeTrainingState({
    ...rest,
    tensors: new Map(tensors).set(key, swapped),
    metadata: {},
  });
  const second = await open(moments);
  const before = await weight(second);
  await expect(second.loadCheckpoint(saved)).rejects.toMatchObject({ code: 'INVALID_CHECKPOINT' });
  expect(await weight(second)).toEqual(before);
  await second.step(batch());
});

test('execution providers may be given as ONNX Runtime takes them', async () => {
  const session = await open({ executionProviders: [{ name: 'cpu' }] });
  expect(session.provider).toBe('cpu');
});

test('what is no model and no tensor is named as such', async () => {
  await expect(TrainingSession.create(undefined as unknown as string)).rejects.toThrow(
    /no model in undefined/,
  );
  const session = await open();
  const { labels } = batch();
  const feeds = { x: [1, 2, 3], labels } as unknown as Feeds;
  await expect(session.step(feeds)).rejects.toThrow(/"x" is fed something that is no Tensor/);
});

test.each([
  ['nothing', undefined],
  ['feeds instead of a list', batch()],
  ['text', 'abc'],
  ['rows that are no list', { data: batch(), rows: null }],
  ['a number for the rows of a step', { data: batch(), rows: [3] }],
  ['no data', { data: null, rows: [[0]] }],
])('batches that are none are refused by name: %s', async (_, given) => {
  const session = await open();
  const refused = session.steps(given as never);
  await expect(refused).rejects.toMatchObject({ code: 'INVALID_DATA' });
  expect(session.stepCount).toBe(0);
});

test('parameters may lie in an ArrayBuffer, or in floats', async () => {
  const session = await open();
  const values = Float32Array.from({ length: 12 }, (_, i) => i + 1);
  for (const buffer of [values.buffer, values, new Uint8Array(values.buffer)]) {
    await session.loadParametersBuffer(new Uint8Array(48));
    await session.loadParametersBuffer(buffer as Uint8Array);
    expect(await weight(session)).toEqual([...values]);
  }
  for (const buffer of [undefined, null, [1]])
    await expect(session.loadParametersBuffer(buffer as never)).rejects.toMatchObject({
      code: 'INVALID_DATA',
    });
});

test('takes null where onnxruntime-web/training took it, and refuses what it refused', async () => {
  const session = await TrainingSession.create(model, null);
  opened.push(session);
  await session.runTrainStep(batch());
  await session.runOptimizerStep(null as never);
  expect(session.stepCount).toBe(1);
  for (const fetches of [null, 'scores', 3])
    await expect(session.runTrainStep(batch(), fetches as never)).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      remedy: "Give names: ['loss'].",
    });
});

test('a format of checkpoints that there is not is refused', async () => {
  const session = await open();
  await expect(session.checkpoint({ format: 'onnx' as never })).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    remedy: 'There are gradware and ort.',
  });
});

test('services of a session are disposed of once, however often it is released', async () => {
  const given = container.createChildContainer();
  const own = given.createChildContainer();
  vi.spyOn(given, 'createChildContainer').mockReturnValue(own);
  const dispose = vi.spyOn(own, 'dispose');
  const session = await TrainingSession.create(model, { container: given });
  await Promise.all([session.release(), session.release()]);
  await session.release();
  expect(dispose).toHaveBeenCalledTimes(1);
});
