import { Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { decodeTrainingState } from '../../artifacts/training-state.js';
import { tensorOf } from '../../graph/constants.js';
import { TrainingSession } from '../../node.js';
import type { Model } from '../../onnx/ir.js';
import { encodeModel } from '../../onnx/model.js';
import { adamw } from '../../optimizers/adamw.js';
import { sgd } from '../../optimizers/sgd.js';
import { constant, integer, positive, setting } from '../../options/options.js';
import type { CommonOptions, GradientPlugin } from '../../plugins/plugin.js';
import { definePlugin } from '../../plugins/plugin.js';
import type { Feeds, GroupOptions, TrainingOptions } from '../api.js';
import { stateByGroup } from './groups.js';

const wave = (dims: readonly number[], by: number, scale = 1) =>
  tensorOf(
    'float32',
    Array.from(
      { length: dims.reduce((a, b) => a * b, 1) },
      (_, i) => Math.sin(i * by + by) * scale,
    ),
    dims,
  );

/** y = tanh(x conv.weight + conv.bias) head.weight + head.bias */
const network: Model = {
  graph: {
    name: 'network',
    nodes: [
      ['Gemm', ['x', 'conv.weight', 'conv.bias'], 'h'],
      ['Tanh', ['h'], 'a'],
      ['Gemm', ['a', 'head.weight', 'head.bias'], 'y'],
    ].map(([opType, inputs, output]) => ({
      ...{ name: `make ${output}`, opType: opType as string, domain: '', attributes: {} },
      ...{ inputs: inputs as string[], outputs: [output as string] },
    })),
    inputs: [{ name: 'x', type: 'float32', shape: ['n', 3] }],
    outputs: [{ name: 'y', type: 'float32', shape: ['n', 2] }],
    initializers: new Map([
      ['conv.weight', wave([3, 4], 1.7, 0.8)],
      ['conv.bias', wave([4], 0.6, 0.3)],
      ['head.weight', wave([4, 2], 2.3, 0.7)],
      ['head.bias', wave([2], 0.9, 0.2)],
    ]),
    valueInfo: new Map(),
  },
  opsets: new Map([['', 17]]),
  irVersion: 8,
  functions: [],
  metadata: new Map(),
  producer: 'test',
};
const bytes = encodeModel(network);
const parameters = [...network.graph.initializers.keys()];
const conv = ['conv.weight', 'conv.bias'];
const head = ['head.weight', 'head.bias'];

function batch(k: number): Feeds {
  const fill = (length: number, by: number) =>
    Float32Array.from({ length }, (_, i) => Math.sin(i * by + k) * 2);
  return {
    x: new Tensor('float32', fill(15, 0.7), [5, 3]),
    target: new Tensor('float32', fill(10, 1.3), [5, 2]),
  };
}
const batches = (count: number) => Array.from({ length: count }, (_, k) => batch(k));

function open(options: TrainingOptions): Promise<TrainingSession> {
  return TrainingSession.create(bytes, {
    ...{ loss: 'mse', optimizer: sgd({ momentum: 0.9 }), learningRate: 0.05 },
    ...options,
  });
}

async function numbers(session: TrainingSession, name: string): Promise<readonly number[]> {
  return [...((await session.getParameter(name)).data as Float32Array)];
}

async function all(session: TrainingSession) {
  const found: Record<string, readonly number[]> = {};
  for (const name of parameters) found[name] = await numbers(session, name);
  return found;
}

const clip = definePlugin({
  name: 'clip',
  role: 'clip',
  options: { max: setting(positive, 0.1) },
  transform(gradients, { op, metric }, { max }) {
    const norm = op.globalNorm(gradients);
    metric('norm', norm);
    return gradients.map((g) => op.Mul(g, op.Min(op.Div(max, norm), 1)));
  },
});

const accumulate = definePlugin({
  name: 'accumulate',
  role: 'accumulate',
  options: { n: constant(integer(1), 2) },
  transform(gradients, { op, state, wait }, { n }) {
    const count = state('count', { dtype: 'int32', survives: true });
    const next = op.Add(count.value, 1);
    const done = op.Equal(next, n);
    count.set(op.Where(done, 0, next));
    wait(op.Not(done));
    return gradients.map((g) => {
      const sum = state('sum', { like: g, survives: true });
      const total = op.Add(sum.value, g);
      sum.set(op.Where(done, 0, total));
      return op.Div(total, n);
    });
  },
});

/** Adds a part of the last gradient: state for each parameter. */
const echo = definePlugin({
  name: 'echo',
  options: {},
  transform: (gradients, { op, state }) =>
    gradients.map((g) => {
      const last = state('last', { like: g });
      const result = op.Add(g, op.Mul(last.value, 0.25));
      last.set(g);
      return result;
    }),
});

const noise = definePlugin({
  name: 'noise',
  options: {},
  transform: (gradients, { op, random }) =>
    gradients.map((g) => op.Add(g, op.Mul(random({ like: g }), 0.01))),
});

const scale: GradientPlugin = {
  name: 'scale',
  seed: (dLoss, { op }) => op.Mul(dLoss, 2),
  transform: (gradients, { op }) => gradients.map((g) => op.Div(g, 2)),
};

/** Drops every second step. */
const dropOdd: GradientPlugin = {
  name: 'drop-odd',
  transform(gradients, { op, step, drop }) {
    drop(op.Equal(op.Mod(step, 2), 1));
    return gradients;
  },
};

const onHost = definePlugin({
  name: 'on-host',
  options: { factor: setting(positive, 0.5) },
  transformHost: (gradients, { setting: read, learningRate, metric }) => {
    metric('rate', learningRate);
    return gradients.map((g) => ({ ...g, data: g.data.map((x) => x * read('factor')) }));
  },
});

test('each group is trained as a session of its own chain, optimizer and rate would train it', async () => {
  const optimizers = { conv: sgd({ momentum: 0.8 }), rest: adamw({ weightDecay: 0.1 }) };
  const session = await open({
    plugins: [echo()],
    optimizer: optimizers.rest,
    learningRate: 0.02,
    groups: [
      {
        name: 'conv',
        match: 'conv.*',
        plugins: [clip()],
        optimizer: optimizers.conv,
        learningRate: 0.3,
      },
    ],
  });
  const own = { include: 'conv.*' };
  const alone = await open({
    plugins: [echo(), clip(own)],
    optimizer: optimizers.conv,
    learningRate: 0.3,
  });
  const others = await open({
    plugins: [echo()],
    optimizer: optimizers.rest,
    learningRate: 0.02,
  });
  for (const each of batches(5)) {
    for (const referee of [alone, others])
      for (const name of parameters)
        await referee.setParameter(name, await session.getParameter(name));
    const { metrics } = await session.step(each);
    const { metrics: wanted } = await alone.step(each);
    await others.step(each);
    expect(metrics['conv/clip.norm']).toBe(wanted['clip.norm']);
    for (const name of conv)
      expect(await numbers(session, name)).toEqual(await numbers(alone, name));
    for (const name of head)
      expect(await numbers(session, name)).toEqual(await numbers(others, name));
  }
});

const rich = (): TrainingOptions => ({
  plugins: [scale, echo()],
  seed: 5,
  groups: [
    {
      name: 'conv',
      match: 'conv.*',
      plugins: [accumulate({ n: 2 }), noise(), clip({ max: (step) => 0.1 + step / 100 })],
      optimizer: adamw(),
      learningRate: (step) => 0.01 / (step + 1),
    },
    { name: 'vectors', match: '*', maxRank: 1, plugins: [dropOdd, noise()] },
  ],
});

test('many steps in one run, one by one, and in two halves give the same bits', async () => {
  const [one, many, split] = [await open(rich()), await open(rich()), await open(rich())];
  for (const each of batches(6)) await one.step(each);
  const wanted = await all(one);
  const { metrics, dropped } = await many.steps(batches(6));
  expect(await all(many)).toEqual(wanted);
  expect(Object.keys(metrics)).toEqual(['conv/clip.norm']);
  expect(dropped).toEqual([false, true, false, true, false, true]);
  for (const each of batches(6)) {
    await split.runTrainStep(each);
    await split.runOptimizerStep();
    await split.lazyResetGrad();
  }
  expect(await all(split)).toEqual(wanted);
});

test('resuming with groups equals not stopping, and every group keeps its own count', async () => {
  const [whole, first, second] = [await open(rich()), await open(rich()), await open(rich())];
  await whole.steps(batches(6));
  await first.steps(batches(6).slice(0, 3));
  await second.loadCheckpoint(await first.checkpoint());
  await second.steps(batches(6).slice(3));
  expect(await all(second)).toEqual(await all(whole));
  const { tensors } = decodeTrainingState(await whole.checkpoint(), 'saved');
  const count = (key: string) => Number(tensors.get(key)?.data[0]);
  expect(count('optimizer/count')).toBe(6);
  expect(count('optimizer/@conv/count')).toBe(3);
  expect(count('optimizer/@vectors/count')).toBe(3);
  expect([...tensors.keys()].filter((key) => key.startsWith('plugin/')).sort()).toEqual([
    'plugin/conv/accumulate.count',
    ...['conv.bias', 'conv.weight'].map((name) => `plugin/conv/accumulate.sum/${name}`),
    ...[...parameters].sort().map((name) => `plugin/echo.last/${name}`),
  ]);
});

test('what waits or drops in a group is the group alone', async () => {
  const session = await open({
    groups: [
      { name: 'waits', match: 'conv.*', plugins: [accumulate({ n: 3 })] },
      { name: 'drops', match: 'head.bias', plugins: [dropOdd] },
    ],
  });
  const moved: string[] = [];
  let before = await all(session);
  for (const each of batches(3)) {
    await session.step(each);
    const after = await all(session);
    moved.push(parameters.filter((name) => `${after[name]}` !== `${before[name]}`).join(' '));
    before = after;
  }
  expect(moved).toEqual([
    'head.weight head.bias',
    'head.weight',
    'conv.weight conv.bias head.weight head.bias',
  ]);
});

test('a plugin of all that holds every parameter of a group holds its count, too', async () => {
  const freeze = (common: CommonOptions) =>
    definePlugin({
      name: 'freeze',
      options: {},
      transform(gradients, { op, step, wait }) {
        wait(op.Less(step, 2), gradients);
        return gradients;
      },
    })(common);
  const session = await open({
    plugins: [freeze({ include: 'conv.*' })],
    optimizer: adamw(),
    groups: [{ name: 'conv', match: 'conv.*' }],
  });
  await session.steps(batches(5));
  const { tensors } = decodeTrainingState(await session.checkpoint(), 'saved');
  expect(Number(tensors.get('optimizer/@conv/count')?.data[0])).toBe(3);
  expect(Number(tensors.get('optimizer/count')?.data[0])).toBe(5);
});

test('settings and rates of groups change while training; without its own a group follows the session', async () => {
  const session = await open({
    groups: [
      { name: 'a', match: 'conv.*', plugins: [clip()], learningRate: 0.1 },
      { name: 'b', match: 'head.bias', optimizer: sgd({ momentum: 0.5 }) },
    ],
  });
  expect(session.settings.names).toEqual([
    'learningRate',
    'a/clip.max',
    'a/learningRate',
    'a/sgd.momentum',
    'b/sgd.momentum',
    'sgd.momentum',
  ]);
  await session.step(batch(0));
  session.learningRate = 0;
  const before = await all(session);
  await session.step(batch(1));
  const middle = await all(session);
  expect(middle['head.bias']).toEqual(before['head.bias']);
  expect(middle['conv.bias']).not.toEqual(before['conv.bias']);
  session.settings.set('a/learningRate', 0);
  await session.step(batch(2));
  expect(await all(session)).toEqual(middle);
  expect(() => session.settings.set('a/clip.max', -1)).toThrow('a/clip.max must be a number > 0');
  expect(() => session.settings.get('a/clip.maximum')).toThrow('a/clip.max');
});

test('a host plugin of a group sees its gradients, its settings and its rate', async () => {
  const groups = (plugins: readonly GradientPlugin[]): readonly GroupOptions[] => [
    { name: 'a', match: 'conv.*', plugins, learningRate: 0.25 },
  ];
  const halve: GradientPlugin = {
    name: 'halve',
    transform: (gradients, { op }) => gradients.map((g) => op.Mul(g, 0.5)),
  };
  const [host, graph] = [
    await open({ groups: groups([onHost(), echo()]) }),
    await open({ groups: groups([halve, echo()]) }),
  ];
  const { metrics } = await host.step(batch(0));
  expect(metrics).toEqual({ 'a/on-host.rate': 0.25 });
  await host.steps(batches(4).slice(1));
  await graph.steps(batches(4));
  expect(await all(host)).toEqual(await all(graph));
});

test('a plugin of all knows the rate of every group', async () => {
  const decay: GradientPlugin = {
    name: 'decay',
    transform: (gradients, { op }) => gradients.map((g) => op.Mul(g, 0)),
    transformUpdates: (updates, { op, parameter, learningRateOf }) =>
      updates.map((u) => op.Sub(u, op.Mul(parameter(u), learningRateOf(u)))),
  };
  const session = await open({
    plugins: [decay],
    optimizer: sgd(),
    learningRate: 0.5,
    groups: [{ name: 'a', match: 'conv.bias', learningRate: 0.25 }],
  });
  const before = await all(session);
  await session.step(batch(0));
  const after = await all(session);
  const times = (name: string, factor: number) =>
    before[name]?.map((x) => expect.closeTo(x * factor, 6));
  expect(after['conv.bias']).toEqual(times('conv.bias', 0.75));
  expect(after['head.bias']).toEqual(times('head.bias', 0.5));
});

test('parameters are chosen by shape, too, for groups and plugins', async () => {
  const spied: string[][] = [];
  const spy = (common: CommonOptions): GradientPlugin => ({
    ...{ name: 'spy', ...common },
    transform(gradients) {
      spied.push(gradients.map((g) => g.parameter ?? ''));
      return gradients;
    },
  });
  const wide = ({ shape }: { readonly shape: readonly number[] }) => shape.at(-1) === 4;
  const session = await open({
    plugins: [
      spy({ minRank: 2 }),
      spy({ maxRank: 1, exclude: 'head.*' }),
      spy({ include: [wide, 'head.bias'] }),
    ],
    groups: [{ name: 'matrices', minRank: 2, plugins: [spy({ exclude: wide })] }],
  });
  await session.step(batch(0));
  expect(spied).toEqual([
    ['conv.weight', 'head.weight'],
    ['conv.bias'],
    ['conv.weight', 'conv.bias', 'head.bias'],
    ['head.weight'],
  ]);
});

test('orders are judged over the chain of all and the chain of the group', async () => {
  const { warnings } = await open({
    plugins: [clip()],
    groups: [
      { name: 'a', match: 'conv.*', plugins: [accumulate()] },
      { name: 'b', match: 'head.*', plugins: [clip()] },
    ],
  });
  expect(warnings).toEqual([expect.stringMatching(/^clip stands before a\/accumulate: /)]);
});

const refused: readonly (readonly [string, TrainingOptions, RegExp])[] = [
  [
    'a pattern that matches nothing',
    { groups: [{ name: 'a', match: 'covn.weight' }] },
    /group a: "covn.weight" matches no parameter.*Did you mean conv.weight/s,
  ],
  [
    'a filter that leaves nothing',
    { groups: [{ name: 'a', match: '*', minRank: 5 }] },
    /group a: no parameter is left.*conv.weight \[3,4\]/s,
  ],
  [
    'a group that earlier groups leave nothing',
    {
      groups: [
        { name: 'a', match: 'conv.*' },
        { name: 'b', match: 'conv.bias' },
      ],
    },
    /matches is in earlier groups: a \(group b\).*put special groups first/s,
  ],
  [
    'two groups of one name',
    {
      groups: [
        { name: 'a', match: 'conv.*' },
        { name: 'a', match: 'head.*' },
      ],
    },
    /Two groups have the name "a" \(groups, number 2\)/,
  ],
  [
    'a name that is none',
    { groups: [{ name: 'a/b', match: '*' }] },
    /not "a\/b" \(groups, number 1\)/,
  ],
  [
    'the name of a plugin',
    { plugins: [clip()], groups: [{ name: 'clip', match: '*' }] },
    /both are called "clip"/,
  ],
  ['no match', { groups: [{ name: 'a' }] }, /does not say which parameters.*group a/s],
  [
    'a key that groups do not have',
    { groups: [{ name: 'a', match: '*', lr: 1 } as GroupOptions] },
    /A group has no "lr" \(group a\)/,
  ],
  [
    'a rate that is none',
    { groups: [{ name: 'a', match: '*', learningRate: -1 }] },
    /must be a number >= 0 or a schedule, not -1 \(group a\)/,
  ],
  [
    'a plugin that replaces the gradient of the loss',
    { groups: [{ name: 'a', match: '*', plugins: [scale] }] },
    /all groups share \(group a\).*session's own `plugins`/s,
  ],
  [
    'a second plugin of which there may be one',
    {
      plugins: [{ ...scale, single: true }],
      groups: [{ name: 'a', match: '*', plugins: [{ name: 'scale', single: true }] }],
    },
    /one scale only.*\(group a\)/s,
  ],
  [
    "a plugin's pattern that matches nothing in its group",
    { groups: [{ name: 'a', match: 'conv.*', plugins: [clip({ include: 'head.bias' })] }] },
    /plugin clip, number 1 in the chain of group a: "head.bias" matches no parameter/,
  ],
  [
    'two plugins of one id in a group',
    {
      groups: [{ name: 'a', match: '*', plugins: [clip({ id: 'x' }), echo({ id: 'x' })] }],
    },
    /Two plugins have the id "x"/,
  ],
];

for (const [title, options, message] of refused)
  test(`refused before training: ${title}`, async () => {
    await expect(open(options)).rejects.toThrow(message);
  });

test('a broken plugin of a group is named with its place and its group', async () => {
  const bad: GradientPlugin = { name: 'bad', transform: (g) => g.slice(1) };
  const session = await open({ groups: [{ name: 'a', match: 'conv.*', plugins: [echo(), bad] }] });
  await expect(session.step(batch(0))).rejects.toThrow(
    /one result for each of 2 gradients.*plugin bad, number 2 in the chain of group a/s,
  );
});

test("ONNX Runtime's checkpoint holds no optimizer state of groups", async () => {
  const session = await open({ groups: [{ name: 'a', match: 'conv.*' }] });
  await session.step(batch(0));
  await expect(session.checkpoint({ format: 'ort' })).rejects.toThrow(
    /room for one optimizer.*groups a, \(the rest\).*includeOptimizerState: false/s,
  );
  const bare = await session.checkpoint({ format: 'ort', includeOptimizerState: false });
  const other = await open({});
  await other.loadCheckpoint(bare);
  expect(await all(other)).toEqual(await all(session));
});

test('state that one optimizer kept for all goes to the groups of its parameters', () => {
  const one = tensorOf('float32', [1], [1]);
  const found = stateByGroup(
    new Map([
      ['optimizer/count', one],
      ['optimizer/momentum0/a/w', one],
      ['optimizer/momentum0/w', one],
    ]),
    [
      { name: 'x', parameters: ['a/w'] },
      { name: '', parameters: ['w'] },
    ],
  );
  expect([...found.keys()].sort()).toEqual([
    'optimizer/@x/count',
    'optimizer/@x/momentum0/a/w',
    'optimizer/count',
    'optimizer/momentum0/w',
  ]);
});
