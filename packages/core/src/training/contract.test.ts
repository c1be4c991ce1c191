import { Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import type { Op } from '../graph/builder.js';
import { tensorOf } from '../graph/constants.js';
import type { Value } from '../graph/value.js';
import { container, GRADIENT_PLUGIN, nodeRuntime, RUNTIME, TrainingSession } from '../node.js';
import type { Model } from '../onnx/ir.js';
import { encodeModel } from '../onnx/model.js';
import { sgd } from '../optimizers/sgd.js';
import { constant, integer, positive, setting } from '../options/options.js';
import type { GradientPlugin, Prefix } from '../plugins/plugin.js';
import { definePlugin, gradientPlugin } from '../plugins/plugin.js';
import type { Feeds, TrainingOptions } from './api.js';

/** y = relu(x w1 + b1) w2: small enough to count by hand, large enough to have every part. */
function smallModel(): Uint8Array {
  const numbers = (length: number, scale: number) =>
    Array.from({ length }, (_, i) => Math.sin(i * 1.7 + scale) * scale);
  const model: Model = {
    graph: {
      name: 'small',
      nodes: [
        {
          name: 'hidden',
          opType: 'Gemm',
          domain: '',
          inputs: ['x', 'w1', 'b1'],
          outputs: ['h'],
          attributes: {},
        },
        { name: 'act', opType: 'Relu', domain: '', inputs: ['h'], outputs: ['a'], attributes: {} },
        {
          name: 'out',
          opType: 'MatMul',
          domain: '',
          inputs: ['a', 'w2'],
          outputs: ['y'],
          attributes: {},
        },
      ],
      inputs: [{ name: 'x', type: 'float32', shape: ['n', 3] }],
      outputs: [{ name: 'y', type: 'float32', shape: ['n', 2] }],
      initializers: new Map([
        ['w1', tensorOf('float32', numbers(12, 0.9), [3, 4])],
        ['b1', tensorOf('float32', numbers(4, 0.3), [4])],
        ['w2', tensorOf('float32', numbers(8, 0.7), [4, 2])],
      ]),
      valueInfo: new Map(),
    },
    opsets: new Map([['', 17]]),
    irVersion: 8,
    functions: [],
    metadata: new Map(),
    producer: 'test',
  };
  return encodeModel(model);
}

function batch(k: number, scale = 1): Feeds {
  const fill = (length: number, by: number) =>
    Float32Array.from({ length }, (_, i) => Math.sin(i * by + k) * scale);
  return {
    x: new Tensor('float32', fill(15, 0.7), [5, 3]),
    target: new Tensor('float32', fill(10, 1.3), [5, 2]),
  };
}

const batches = (count: number) => Array.from({ length: count }, (_, k) => batch(k));

function open(
  options: Parameters<typeof TrainingSession.create>[1] = {},
): Promise<TrainingSession> {
  return TrainingSession.create(smallModel(), {
    loss: 'mse',
    optimizer: sgd({ momentum: 0.9 }),
    learningRate: 0.05,
    ...options,
  });
}

async function weights(session: TrainingSession): Promise<readonly number[]> {
  return [...((await session.getContiguousParameters()).data as Float32Array)];
}

/** Trains on some batches, one run each, and returns the weights. */
async function trained(options: TrainingOptions, given = batches(6)): Promise<readonly number[]> {
  const session = await open(options);
  for (const each of given) await session.step(each);
  const found = await weights(session);
  await session.release();
  return found;
}

const accumulate = definePlugin({
  name: 'accumulate',
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

const skipNonfinite = definePlugin({
  name: 'skip-nonfinite',
  options: {},
  transform(gradients, { op, state, drop, metric }) {
    const bad = op.Not(op.isFinite(op.globalNorm(gradients)));
    const skipped = state('skipped', { dtype: 'int32', survives: true });
    metric('skipped', skipped.set(op.Add(skipped.value, op.cast(bad, 'int32'))));
    drop(bad);
    return gradients;
  },
});

/** A loss scale that doubles every second step, to prove that seed and transform share state. */
const lossScale = definePlugin({
  name: 'loss-scale',
  options: {},
  seed(dLoss, { op, state }) {
    return op.Mul(dLoss, state('scale', { init: 8 }).value);
  },
  transform(gradients, { op, state, step }) {
    const scale = state('scale', { init: 8 });
    const grows = op.Equal(op.Mod(step, 2), 1);
    scale.set(op.Where(grows, op.Mul(scale.value, 2), scale.value));
    return gradients.map((g) => op.Div(g, scale.value));
  },
});

const freeze = definePlugin({
  name: 'freeze',
  options: { steps: constant(integer(0), 3) },
  transform(gradients, { op, step, wait }, { steps }) {
    wait(op.Less(step, steps), gradients);
    return gradients;
  },
});

const round = definePlugin({
  name: 'round',
  options: { unit: setting(positive, 0.25) },
  encode: (g, { op }, { unit }) => ({ codes: op.cast(op.Round(op.Div(g, unit)), 'int8') }),
  decode: ({ codes }, { op }, { unit }) => op.Mul(op.cast(codes as Value, 'float32'), unit),
});

function errorFeedback(compressor: GradientPlugin): GradientPlugin {
  return {
    name: 'error-feedback',
    transform(gradients, { op, state, apply }) {
      const residual = gradients.map((g) => state('residual', { like: g }));
      const wanted = gradients.map((g, i) => op.Add(g, residual[i]?.value));
      const sent = apply(compressor, wanted);
      residual.forEach((r, i) => {
        r.set(op.Sub(wanted[i], sent[i]));
      });
      return sent;
    },
  };
}

const halveOnHost = definePlugin({
  name: 'halve-on-host',
  options: { factor: setting(positive, 0.5) },
  async transformHost(gradients, { setting: read, state, metric }) {
    await Promise.resolve();
    const calls = state('calls', { length: 1 });
    calls[0] = (calls[0] ?? 0) + 1;
    metric('calls', calls[0]);
    return gradients.map((g) => ({ ...g, data: g.data.map((v) => v * read('factor')) }));
  },
});

const scaleBy = (factor: number): GradientPlugin => ({
  name: 'scale',
  transform: (gradients, { op }) => gradients.map((g) => op.Mul(g, factor)),
});

function close(found: readonly number[], wanted: readonly number[], tolerance = 1e-6): void {
  expect(found.length).toBe(wanted.length);
  found.forEach((value, i) => {
    expect(Math.abs(value - (wanted[i] ?? Number.NaN)), `element ${i}`).toBeLessThan(tolerance);
  });
}

/** Every way of running the same steps gives the same bits. */
const chains: readonly (readonly [string, () => readonly GradientPlugin[]])[] = [
  ['an empty chain', () => []],
  ['accumulate', () => [accumulate({ n: 2 })]],
  ['skip-nonfinite', () => [skipNonfinite()]],
  ['loss-scale', () => [lossScale()]],
  ['freeze one layer', () => [freeze({ include: 'w1' })]],
  ['error feedback around a compressor', () => [errorFeedback(round())]],
  ['masked in time', () => [scaleBy(0.5), { ...scaleBy(3), every: 2, from: 1, until: 5 }]],
  ['all together', () => [skipNonfinite(), lossScale(), accumulate(), errorFeedback(round())]],
];

for (const [title, plugins] of chains)
  test(`K steps in one run give the bits of K runs of one: ${title}`, async () => {
    const one = await trained({ plugins: plugins() });
    for (const intraOpNumThreads of [1, 2, 3]) {
      const session = await open({ plugins: plugins(), session: { intraOpNumThreads } });
      await session.steps(batches(6).slice(0, 4));
      await session.steps(batches(6).slice(4));
      expect(await weights(session)).toEqual(one);
      await session.release();
    }
  });

test('rows of a data set give the bits of stacked batches', async () => {
  const data: Feeds = {
    x: new Tensor(
      'float32',
      Float32Array.from({ length: 30 }, (_, i) => Math.cos(i)),
      [10, 3],
    ),
    target: new Tensor(
      'float32',
      Float32Array.from({ length: 20 }, (_, i) => Math.sin(i)),
      [10, 2],
    ),
  };
  const rows = [Int32Array.of(3, 1, 4), Int32Array.of(9, 2, 6), Int32Array.of(0, 0, 7)];
  const take = (name: 'x' | 'target', width: number, own: Int32Array) =>
    new Tensor(
      'float32',
      Float32Array.from({ length: own.length * width }, (_, i) => {
        const row = own[Math.floor(i / width)] as number;
        return data[name]?.data[row * width + (i % width)] as number;
      }),
      [own.length, width],
    );
  const stacked = rows.map((own) => ({ x: take('x', 3, own), target: take('target', 2, own) }));
  const [first, second] = [await open(), await open()];
  const byRows = await first.steps({ data, rows });
  const byBatches = await second.steps(stacked);
  expect([...byRows.losses]).toEqual([...byBatches.losses]);
  expect(await weights(first)).toEqual(await weights(second));
});

test('accumulating two micro-batches equals one step on their mean gradient', async () => {
  const found = await trained({ plugins: [accumulate({ n: 2 })] }, batches(2));
  const session = await open();
  await session.runTrainStep(batch(0));
  await session.runTrainStep(batch(1));
  session.learningRate = 0.025;
  await session.runOptimizerStep();
  close(found, await weights(session));
});

test('a step that is not finite is undone, counted, and does not stop the run', async () => {
  const poisoned = [batch(0), batch(1, Number.POSITIVE_INFINITY), batch(2)];
  const clean = await trained({}, [batch(0), batch(2)]);
  const session = await open({ plugins: [skipNonfinite()] });
  const { dropped, metrics } = await session.steps(poisoned);
  expect(dropped).toEqual([false, true, false]);
  expect([...(metrics['skip-nonfinite.skipped'] ?? [])]).toEqual([0, 1, 1]);
  expect(await weights(session)).toEqual(clean);
});

/** Ends training at some step. */
const stopAt = (at: number): GradientPlugin => ({
  name: 'stop-at',
  transform(gradients, { op, step, stop }) {
    stop(op.Equal(step, at), 'it is time');
    return gradients;
  },
});

test('a plugin ends training after the step that it asks for, in one run and in many', async () => {
  const plugins = () => [stopAt(2)];
  const wanted = await trained({}, batches(3));
  const reason = /Training ends after step 2: it is time \(plugin stop-at\)/;
  const looped = await open({ plugins: plugins() });
  await expect(looped.steps(batches(6))).rejects.toThrow(reason);
  const single = await open({ plugins: plugins() });
  await single.steps(batches(2));
  await expect(single.step(batch(2))).rejects.toMatchObject({ code: 'STOPPED' });
  const apart = await open({ plugins: plugins() });
  for (const each of batches(2)) await apart.step(each);
  await apart.runTrainStep(batch(2));
  await expect(apart.runOptimizerStep()).rejects.toThrow(reason);
  for (const session of [looped, single, apart]) {
    expect(session.stepCount).toBe(3);
    expect(await weights(session)).toEqual(wanted);
    // It goes on where it is asked to.
    await session.step(batch(3));
    await session.release();
  }
});

test('a plugin that is held or rests ends nothing', async () => {
  const plugins = [accumulate({ n: 4 }), stopAt(2), { ...stopAt(3), until: 3 }];
  const session = await open({ plugins });
  await session.steps(batches(5));
  expect(session.stepCount).toBe(5);
});

test('state that survives later drops does not keep what an earlier plugin dropped', async () => {
  const careful = definePlugin({
    name: 'sum',
    options: {},
    transform(gradients, { op, state, metric }) {
      const seen = state('seen', { survives: 'later' });
      metric('seen', seen.set(op.Add(seen.value, op.globalNorm(gradients))));
      return gradients;
    },
  });
  const dropSecond: GradientPlugin = {
    name: 'drop-second',
    transform(gradients, { op, step, drop }) {
      drop(op.Equal(step, 1));
      return gradients;
    },
  };
  const seen = async (plugins: readonly GradientPlugin[]) => {
    const session = await open({ plugins, learningRate: 0 });
    const { metrics } = await session.steps([batch(0), batch(0), batch(0)]);
    await session.release();
    const sums = metrics['sum.seen'] ?? [];
    return [...sums].map((sum) => Math.round(sum / (sums[0] ?? 0)));
  };
  expect(await seen([dropSecond, careful()])).toEqual([1, 2, 2]);
  expect(await seen([careful(), dropSecond])).toEqual([1, 2, 3]);
});

test('a loss that is not finite stops the run with the last good weights', async () => {
  const session = await open();
  const poisoned = [batch(0), batch(1, Number.NaN), batch(2)];
  await expect(session.steps(poisoned)).rejects.toMatchObject({ code: 'NONFINITE_LOSS' });
  expect(session.stepCount).toBe(1);
  expect(await weights(session)).toEqual(await trained({}, [batch(0)]));
  await expect(session.step(batch(1, Number.NaN))).rejects.toThrow(/at step 1/);
  expect(await weights(session)).toEqual(await trained({}, [batch(0)]));
});

test('loss scaling changes nothing but the size of what is in between', async () => {
  close(await trained({ plugins: [lossScale()] }), await trained({}));
});

test('a frozen layer stays until its time comes', async () => {
  const session = await open({ plugins: [freeze({ include: 'w1', steps: 3 })] });
  const before = (await session.getParameter('w1')).data;
  await session.steps(batches(3));
  expect((await session.getParameter('w1')).data).toEqual(before);
  expect((await session.getParameter('w2')).data).not.toEqual(before);
  await session.step(batch(3));
  expect((await session.getParameter('w1')).data).not.toEqual(before);
});

test('error feedback keeps what a compressor drops', async () => {
  const options = { optimizer: sgd(), learningRate: 1 };
  const session = await open({ ...options, plugins: [errorFeedback(round({ unit: 0.5 }))] });
  const plain = await open(options);
  await session.runTrainStep(batch(0));
  await plain.runTrainStep(batch(0));
  const before = await weights(session);
  await session.runOptimizerStep();
  const sent = (await weights(session)).map((w, i) => (before[i] ?? 0) - w);
  const gradients = [...(await plain.gradients()).values()].flatMap((g) => [
    ...(g.data as Float32Array),
  ]);
  close(
    sent,
    gradients.map((g) => Math.round(g / 0.5) * 0.5),
    1e-5,
  );
  expect(sent.some((v, i) => Math.abs(v - (gradients[i] ?? 0)) > 0.01)).toBe(true);
});

test('a compressor reports the bytes of its encoded form', async () => {
  const session = await open({ plugins: [round()] });
  const { metrics } = await session.step(batch(0));
  expect(metrics['round.bytes']).toBe(24);
});

test('a compressor with a faster transform reports what encode would send, and is not touched by it', async () => {
  const counted = definePlugin({
    name: 'counted',
    options: {},
    transform: (gradients, { state, op }) =>
      gradients.map((g) => {
        const sum = state('sum', { like: g });
        return sum.set(op.Add(g, sum.value));
      }),
    encode(g, { state, op, metric }) {
      const sum = state('sum', { like: g });
      metric('never', op.scalar(1));
      return { sum: sum.set(op.Mul(op.Add(g, sum.value), 9)) };
    },
    decode: ({ sum }) => sum as Value,
  });
  const session = await open({ plugins: [counted()] });
  const { metrics } = await session.step(batch(0));
  expect(metrics).toEqual({ 'counted.bytes': 96, 'counted.bits-per-element': 32 });
  await session.step(batch(1));
  expect(await weights(session)).toEqual(
    await trained({ plugins: [{ ...counted(), encode: undefined }] }, batches(2)),
  );
});

test('of a payload whose length depends on data, what is sent is counted', async () => {
  const positives = definePlugin({
    name: 'positives',
    options: {},
    encode(g, { op }) {
      const length = op.sum(op.cast(op.Greater(g, 0), 'float32'));
      return { all: { value: g, length: op.cast(length, 'int32') } };
    },
    decode: ({ all }) => (all as Prefix).value,
  });
  const session = await open({ plugins: [positives()] });
  await session.runTrainStep(batch(0));
  const gradients = [...(await session.gradients()).values()].map(({ data }) => [...data]);
  const count = gradients.flat().filter((x) => Number(x) > 0).length;
  const { metrics } = await (await open({ plugins: [positives()] })).step(batch(0));
  expect(count).toBeGreaterThan(0);
  expect(metrics['positives.bytes']).toBe(4 * count);
});

test('a plugin inside another keeps to its own parameters and steps', async () => {
  const inner = (): GradientPlugin => ({ ...scaleBy(0), include: 'w*', from: 2, until: 4 });
  const wrapped: GradientPlugin = {
    name: 'outer',
    transform: (gradients, { apply }) => apply(inner(), gradients),
  };
  expect(await trained({ plugins: [wrapped] })).toEqual(await trained({ plugins: [inner()] }));
});

test('random numbers with a key are the same whenever they are asked for', async () => {
  const noise = (draw: (random: (key?: string) => Value, op: Op) => Value): GradientPlugin => ({
    name: 'noise',
    transform: (gradients, { op, random }) =>
      gradients.map((g) => draw((key) => random({ like: g, ...(key && { key }) }), op)),
  });
  const twice = noise((random, op) => op.Sub(random('a'), random('a')));
  const none = await trained({ plugins: [scaleBy(0)] });
  expect(await trained({ plugins: [twice] })).toEqual(none);
  for (const draw of [
    noise((random, op) => op.Sub(random(), random())),
    noise((random, op) => op.Sub(random('a'), random('b'))),
  ])
    expect(await trained({ plugins: [draw] })).not.toEqual(none);
});

test('a host plugin sees typed arrays, in the middle of a chain, alone and called apart', async () => {
  const wanted = await trained({ plugins: [scaleBy(0.5), scaleBy(0.5), scaleBy(2)] });
  const plugins = () => [scaleBy(0.5), halveOnHost(), scaleBy(2)];
  expect(await trained({ plugins: plugins() })).toEqual(wanted);
  const session = await open({ plugins: plugins() });
  const { metrics } = await session.steps(batches(3));
  expect([...(metrics['halve-on-host.calls'] ?? [])]).toEqual([1, 2, 3]);
  for (const each of batches(6).slice(3)) {
    await session.lazyResetGrad();
    await session.runTrainStep(each);
    await session.runOptimizerStep();
  }
  close(await weights(session), wanted);
});

test('called apart, train step and optimizer step give the bits of one step', async () => {
  const session = await open({ plugins: [lossScale(), accumulate()] });
  for (const each of batches(6)) {
    await session.lazyResetGrad();
    await session.runTrainStep(each);
    await session.runOptimizerStep();
  }
  expect(await weights(session)).toEqual(await trained({ plugins: [lossScale(), accumulate()] }));
});

test('settings and learning rate change while training, without recompiling', async () => {
  const session = await open({ plugins: [halveOnHost(), round({ unit: 0.25 })] });
  expect(session.settings.names).toContain('round.unit');
  session.settings.set('round.unit', (step) => (step < 2 ? 0.25 : 1e9));
  session.learningRate = (step) => 0.1 / (step + 1);
  await session.steps(batches(2));
  const frozen = await weights(session);
  await session.steps(batches(2));
  const momentumOnly = await weights(session);
  expect(momentumOnly).not.toEqual(frozen);
  expect(() => session.settings.set('round.unit', -1)).toThrow(/round.unit must be a number > 0/);
  expect(() => session.settings.set('round.unti', 1)).toThrow(/Did you mean round.unit/);
});

test('settings of a plugin inside another are known, and change, before the first step', async () => {
  const twice = definePlugin({
    name: 'twice',
    options: { inner: constant(gradientPlugin) },
    transform: (gradients, { apply, op }, { inner }) =>
      apply(inner as GradientPlugin, gradients).map((g) => op.Mul(g, 2)),
  });
  const nested = () => twice({ id: 'a', inner: twice({ inner: round({ unit: 0.5 }) }) });
  const session = await open({ plugins: [nested()] });
  expect(session.settings.get('a/twice/round.unit')).toBe(0.5);
  session.settings.set('a/twice/round.unit', 1e9);
  const before = await weights(session);
  await session.step(batch(0));
  expect(await weights(session)).toEqual(before);
  expect(() => session.settings.set('a/twice/round.unit', -1)).toThrow(/must be a number > 0/);
});

test('what is registered comes first, in order, classes with injected services too', async () => {
  const child = container.createChildContainer();
  const seen: string[] = [];
  const named = (name: string): GradientPlugin => ({
    name,
    transform(gradients) {
      seen.push(name);
      return gradients;
    },
  });
  class Injected implements GradientPlugin {
    readonly name: string;
    constructor(service: { readonly title: string }) {
      this.name = service.title;
    }
    transform(gradients: Parameters<NonNullable<GradientPlugin['transform']>>[0]) {
      seen.push(this.name);
      return gradients;
    }
  }
  child.register('service', { useValue: { title: 'second' } });
  child.register(GRADIENT_PLUGIN, { useValue: named('first') });
  child.register(GRADIENT_PLUGIN, { useFactory: (c) => new Injected(c.resolve('service')) });
  const session = await TrainingSession.create(smallModel(), {
    loss: 'mse',
    container: child,
    plugins: [named('third')],
  });
  await session.step(batch(0));
  expect(seen).toEqual(['first', 'second', 'third']);
  await session.release();
});

test('state of plugins and optimizer is in the checkpoint: resuming equals not stopping', async () => {
  const plugins = () => [lossScale(), errorFeedback(round()), accumulate({ n: 3 })];
  const wanted = await trained({ plugins: plugins() });
  const first = await open({ plugins: plugins() });
  await first.steps(batches(6).slice(0, 4));
  const saved = await first.checkpoint({ metadata: { epoch: '1' } });
  const second = await open({ plugins: plugins() });
  await second.loadCheckpoint(saved);
  expect(second.stepCount).toBe(4);
  expect(second.metadata).toMatchObject({ epoch: '1' });
  await second.steps(batches(6).slice(4));
  expect(await weights(second)).toEqual(wanted);
});

const broken: readonly (readonly [string, GradientPlugin, RegExp])[] = [
  [
    'forgets a gradient',
    { name: 'bad', transform: (g) => g.slice(1) },
    /one result for each of 3 gradients.*bad, number 1/s,
  ],
  [
    'changes a shape',
    { name: 'bad', transform: (g, { op }) => g.map((v) => op.sum(v)) },
    /returned float32\[\] for float32\[3,4\].*w1/s,
  ],
  [
    'throws',
    {
      name: 'bad',
      transform() {
        throw new Error('boom');
      },
    },
    /A plugin failed: boom.*bad, number 1/s,
  ],
];

for (const [title, plugin, message] of broken)
  test(`a plugin that ${title} is an error that names it and its place`, async () => {
    const session = await open({ plugins: [plugin] });
    await expect(session.step(batch(0))).rejects.toThrow(message);
  });

test('what can be known of a chain is known before training starts', async () => {
  await expect(open({ plugins: [{ ...scaleBy(1), include: 'w9' }] })).rejects.toThrow(
    /plugin scale, number 1 in the chain: "w9" matches no parameter.*Did you mean w1/s,
  );
  await expect(open({ plugins: [{ ...scaleBy(1), from: 5, until: 5 }] })).rejects.toThrow(
    /on none/,
  );
  await expect(open({ plugins: [lossScale({ exclude: 'w1' })] })).rejects.toThrow(
    /works on all parameters.*Leave out include and exclude/s,
  );
  const around: GradientPlugin = {
    ...scaleBy(1),
    ...{ name: 'around', exclude: 'b1', inside: [{ ...scaleBy(1), include: 'b1' }] },
  };
  await expect(open({ plugins: [around] })).rejects.toThrow(
    /plugin scale inside plugin around, number 1 in the chain: "b1" matches no parameter/,
  );
  const single: GradientPlugin = { ...scaleBy(1), single: true };
  await expect(open({ plugins: [single, stopAt(1), single] })).rejects.toThrow(
    /one scale only.*scale, number 3 in the chain.*the one at place 1/s,
  );
  const clip: GradientPlugin = { ...scaleBy(1), name: 'clip', role: 'clip' };
  const { warnings } = await open({ plugins: [clip, { ...scaleBy(1), role: 'guard' }] });
  expect(warnings).toEqual([
    expect.stringMatching(/^clip stands before scale: .*guard before clipping/),
  ]);
});

test('a model too large for the memory is refused with numbers', async () => {
  const small = container.createChildContainer();
  small.register(RUNTIME, { useValue: { ...nodeRuntime, availableMemory: () => 500 } });
  await expect(open({ container: small })).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
});

test('two plugins with one id are an error, the same plugin twice is not', async () => {
  await expect(
    open({
      plugins: [
        { ...scaleBy(1), id: 'a' },
        { ...scaleBy(1), id: 'a' },
      ],
    }),
  ).rejects.toThrow(/Two plugins have the id "a"/);
  const session = await open({ plugins: [lossScale(), lossScale()] });
  await session.step(batch(0));
});
