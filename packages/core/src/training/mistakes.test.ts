import { Tensor } from 'onnxruntime-node';
import { afterAll, expect, test } from 'vitest';
import { tensorOf } from '../graph/constants.js';
import { crossEntropy } from '../losses/cross-entropy.js';
import { mse } from '../losses/mse.js';
import { container, TrainingSession } from '../node.js';
import type { Node } from '../onnx/ir.js';
import { encodeModel } from '../onnx/model.js';
import { adamw } from '../optimizers/adamw.js';
import { sgd } from '../optimizers/sgd.js';
import type { Feeds, TrainingSession as Session, TrainingOptions } from './api.js';
import { GRADIENT_PLUGIN, OPTIMIZER } from './tokens.js';

// What people who see Gradware for the first time do, and what it tells them.

const op = (opType: string, inputs: readonly string[], output: string): Node => ({
  name: output,
  opType,
  domain: '',
  inputs,
  outputs: [output],
  attributes: {},
});

/** scores = x w, then what a model may end with. */
function model(ends: readonly string[] = [], outputs = 4, batch: readonly string[] = ['n']) {
  const names = ['product', ...ends.map((opType) => opType.toLowerCase())];
  return encodeModel({
    graph: {
      name: 'linear',
      nodes: [
        op('MatMul', ['x', 'w'], 'product'),
        ...ends.map((opType, i) => op(opType, [names[i] as string], names[i + 1] as string)),
      ],
      inputs: [{ name: 'x', type: 'float32', shape: [...batch, 3] }],
      outputs: [{ name: names.at(-1) as string, type: 'float32', shape: [...batch, outputs] }],
      initializers: new Map([
        [
          'w',
          tensorOf(
            'float32',
            Array.from({ length: 3 * outputs }, (_, i) => Math.sin(i)),
            [3, outputs],
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
}

const opened: Session[] = [];

async function open(options: TrainingOptions = {}, bytes = model()): Promise<Session> {
  const session = await TrainingSession.create(bytes, { learningRate: 0.1, ...options });
  opened.push(session);
  return session;
}

afterAll(async () => {
  for (const session of opened) await session.release();
});

function batch(examples = 5, classes = 4): Feeds {
  const x = Float32Array.from({ length: examples * 3 }, (_, i) => Math.cos(i));
  const labels = BigInt64Array.from({ length: examples }, (_, i) => BigInt(i % classes));
  return {
    x: new Tensor('float32', x, [examples, 3]),
    labels: new Tensor('int64', labels, [examples]),
  };
}

test.each([
  ['a name for an optimizer', { optimizer: 'adamw' }, /The optimizer is "adamw".*adamw\(/s],
  ['a factory for an optimizer', { optimizer: adamw }, /makes optimizers, and is none.*Call a/s],
  ['options for an optimizer', { optimizer: { lr: 1 } }, /an object of another kind/],
  ['one name for a list', { requiresGrad: 'w' }, /requiresGrad must be a list, not "w"/],
  ['one provider for a list', { executionProviders: 'cpu' }, /Give executionProviders: \['cpu'\]/],
  ['one group for a list', { groups: { name: 'a' } }, /groups must be a list/],
  ['text for a learning rate', { learningRate: '0.1' }, /not "0\.1"/],
  [
    'a name for the optimizer of a group',
    { groups: [{ name: 'all', match: '*', optimizer: 'sgd' }] },
    /The optimizer is "sgd" \(group all\)/,
  ],
])('%s', async (_, options, message) => {
  await expect(open(options as unknown as TrainingOptions)).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringMatching(message),
  });
});

test('a last, smaller batch of rows is a step like the others', async () => {
  const [one, other] = [await open(), await open()];
  const data = batch(8);
  const rows = [
    [0, 1, 2],
    [3, 4, 5],
    [6, 7],
  ];
  const take = (own: readonly number[]): Feeds => ({
    x: new Tensor(
      'float32',
      Float32Array.from(own.flatMap((r) => [0, 1, 2].map((i) => Number(data.x?.data[r * 3 + i])))),
      [own.length, 3],
    ),
    labels: new Tensor(
      'int64',
      BigInt64Array.from(own, (r) => BigInt(r % 4)),
      [own.length],
    ),
  });
  const { losses } = await one.steps({ data, rows });
  expect(losses).toEqual((await other.steps(rows.map(take))).losses);
  expect(one.stepCount).toBe(3);
  await expect(one.steps({ data, rows: [[0], []] })).rejects.toThrow(/takes no rows \(step 1\)/);
});

test('many steps at once end soon after an abort', async () => {
  const session = await open();
  const controller = new AbortController();
  const ended = session.steps(
    Array.from({ length: 20_000 }, () => batch(2)),
    { signal: controller.signal },
  );
  setTimeout(() => controller.abort(), 5);
  await expect(ended).rejects.toThrow();
  expect(session.stepCount).toBeLessThan(20_000);
  expect((await session.step(batch())).loss).toBeGreaterThan(0);
});

test.each([
  ['NaN', () => Number.NaN],
  ['a negative rate', (step: number) => 0.1 - 0.1 * step],
])('a schedule that gives %s changes nothing', async (_, schedule) => {
  const session = await open({ optimizer: sgd() });
  await session.step(batch());
  session.learningRate = (step) => schedule(step + 1);
  const before = await session.getContiguousParameters();
  await expect(session.step(batch())).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringMatching(/schedule of learningRate gives (NaN|-0\.1) at step 1/),
  });
  expect(await session.getContiguousParameters()).toEqual(before);
});

test('data that is not finite is named, by input and row', async () => {
  const session = await open();
  const bad = batch(6);
  (bad.x?.data as Float32Array)[13] = Number.NaN;
  const where = /NaN at step 0 \(counted from 0\) \(input "x", row 4\)/;
  await expect(session.step(bad)).rejects.toThrow(where);
  await expect(session.steps({ data: bad, rows: [[5, 4]] })).rejects.toThrow(where);
  await expect(session.steps([bad, batch(6)])).rejects.toThrow(where);
});

test('an empty name of parameters matches none', async () => {
  await expect(open({ requiresGrad: [''] })).rejects.toThrow(/"" matches no parameter/);
});

test('labels out of range say what may have happened', async () => {
  const session = await open();
  const label = (value: bigint, examples = batch()): Feeds => {
    (examples.labels?.data as BigInt64Array)[3] = value;
    return examples;
  };
  await expect(session.step(label(4n))).rejects.toThrow(/row 3.*Labels count from 0/s);
  await expect(session.step(label(-1n))).rejects.toThrow(/ignoreIndex -1/);
  await expect(session.steps({ data: label(4n), rows: [[0], [3]] })).rejects.toThrow(
    /input "labels", row 3/,
  );
  const single = await open({}, model([], 1));
  await expect(single.step(batch(4, 2))).rejects.toThrow(/bce-with-logits/);
});

test('labels for scores whose classes come last', async () => {
  const sequence = model([], 4, ['n', 'time']);
  const feeds: Feeds = {
    x: new Tensor('float32', new Float32Array(2 * 5 * 3).fill(0.1), [2, 5, 3]),
    labels: new Tensor('int64', new BigInt64Array(10), [2, 5]),
  };
  const session = await open({}, sequence);
  await expect(session.step(feeds)).rejects.toThrow(/"product" is \[2,5,4\].*axis: -1/s);
  const right = await open({ loss: crossEntropy({ axis: -1 }) }, sequence);
  expect((await right.step(feeds)).loss).toBeGreaterThan(0);
});

test.each([
  ['cross-entropy', 'Softmax', []],
  ['cross-entropy', 'Softmax', ['Identity']],
  ['bce-with-logits', 'Sigmoid', []],
])('%s of a model that ends in %s, then %j', async (loss, last, after) => {
  const session = await open({ loss }, model([last, ...after]));
  expect(session.warnings).toEqual([
    expect.stringMatching(new RegExp(`comes from a ${last}.*lossInputNames: \\['product'\\]`)),
  ]);
  const better = await open({ loss, lossInputNames: ['product'] }, model([last, ...after]));
  expect(better.warnings).toEqual([]);
  const plain = await open({ loss });
  const target = new Tensor('float32', new Float32Array(20).fill(1), [5, 4]);
  const { x, labels } = batch() as Record<'x' | 'labels', Tensor>;
  const feeds: Feeds = loss === 'cross-entropy' ? { x, labels } : { x, target };
  expect((await better.step(feeds)).loss).toBe((await plain.step(feeds)).loss);
});

test('models that end otherwise have no such warning', async () => {
  expect((await open({ loss: 'mse' }, model(['Sigmoid']))).warnings).toEqual([]);
  expect((await open({ loss: 'cross-entropy' }, model(['LogSoftmax']))).warnings).toEqual([]);
});

test('what is no value of the model cannot go to the loss', async () => {
  await expect(open({ lossInputNames: ['produkt'] })).rejects.toThrow(/Did you mean product/);
});

test('a checkpoint of another model is refused in the words of the model', async () => {
  const saved = await (await open({}, model([], 2))).checkpoint();
  const session = await open({ loss: mse() });
  await expect(session.loadCheckpoint(saved)).rejects.toThrow(
    /has float32\[3,2\] for the parameter "w", the model float32\[3,4\]/,
  );
});

test('a parameter is set to a tensor', async () => {
  const session = await open();
  const numbers = new Float32Array(12) as unknown as Tensor;
  await expect(session.setParameter('w', numbers)).rejects.toThrow(/"w" is no tensor/);
});

test('what a container cannot make is told with its token', async () => {
  class Needy {
    readonly name = 'needy';
    constructor(readonly service: unknown) {}
  }
  const own = container.createChildContainer();
  own.register(GRADIENT_PLUGIN, { useClass: Needy });
  await expect(TrainingSession.create(model(), { container: own })).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringMatching(/cannot be made: .*"Needy".*GRADIENT_PLUGIN\).*@injectable/s),
  });
  const other = container.createChildContainer();
  other.register(OPTIMIZER, { useValue: 'adam' });
  await expect(TrainingSession.create(model(), { container: other })).rejects.toThrow(
    /The optimizer is "adam"/,
  );
});
