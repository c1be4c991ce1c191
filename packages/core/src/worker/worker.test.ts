import { MessageChannel } from 'node:worker_threads';
import { Tensor } from 'onnxruntime-common';
import { afterEach, expect, test } from 'vitest';
import { GradwareError } from '../errors.js';
import { modelOf } from '../graph/model.js';
import { TrainingSession } from '../node.js';
import type { Model } from '../onnx/ir.js';
import { encodeModel } from '../onnx/model.js';
import { sgd } from '../optimizers/sgd.js';
import { constant, positive } from '../options/options.js';
import { definePlugin } from '../plugins/plugin.js';
import { train } from '../training/loop/trainer.js';
import type { Endpoint } from './endpoint.js';
import { openSession } from './open.js';
import { serveSession } from './serve.js';

/** y = x w, with x [B, 2] and w [2, 1]. */
function linearModel(): Uint8Array {
  const model: Model = modelOf({
    name: 'linear',
    nodes: [
      {
        name: 'y',
        opType: 'MatMul',
        domain: '',
        inputs: ['x', 'w'],
        outputs: ['y'],
        attributes: {},
      },
    ],
    inputs: [{ name: 'x', type: 'float32', shape: ['B', 2] }],
    outputs: [{ name: 'y', type: 'float32', shape: ['B', 1] }],
    initializers: new Map([
      ['w', { type: 'float32', dims: [2, 1], data: Float32Array.of(0.5, -0.25) }],
    ]),
    valueInfo: new Map(),
  });
  return encodeModel(model);
}

const halve = definePlugin({
  name: 'scale-by',
  options: { factor: constant(positive, 0.5, 'what gradients are multiplied by') },
  transform: (gradients, { op, metric }, { factor }) => {
    metric('norm', op.globalNorm(gradients));
    return gradients.map((g) => op.Mul(g, factor));
  },
});

interface Setup {
  readonly model: Uint8Array;
  readonly factor?: number;
  readonly rate?: number;
  readonly signal?: AbortSignal;
}

const create = ({ model, factor = 1, rate = 0.1 }: Setup, signal?: AbortSignal) =>
  TrainingSession.create(model, {
    loss: 'mse',
    plugins: [halve({ factor })],
    optimizer: sgd(),
    learningRate: (step) => rate / (1 + step),
    signal,
  });

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Both ends of a channel; what goes through is counted. */
function ends() {
  const { port1, port2 } = new MessageChannel();
  const posted: unknown[] = [];
  closers.push(() => port1.close());
  const counted: Endpoint = {
    on: (event: string, listener: (value: unknown) => void) => port1.on(event, listener),
    postMessage: (message: unknown, transfer: readonly ArrayBuffer[]) => {
      posted.push(message);
      port1.postMessage(message, [...transfer]);
    },
  };
  return { here: counted, there: port2 as Endpoint, posted, close: () => port1.close() };
}

function served(): { readonly here: Endpoint; readonly posted: unknown[]; close(): void } {
  const { here, there, posted, close } = ends();
  serveSession(create, there);
  return { here, posted, close };
}

const data = {
  x: new Tensor(
    'float32',
    Float32Array.from({ length: 64 }, (_, i) => Math.sin(i)),
    [32, 2],
  ),
  target: new Tensor(
    'float32',
    Float32Array.from({ length: 32 }, (_, i) => Math.cos(i)),
    [32, 1],
  ),
};
const rowsOf = (step: number) => Array.from({ length: 4 }, (_, i) => (step * 4 + i) % 32);
const order = () => Array.from({ length: 8 }, (_, step) => rowsOf(step));

test('trains to the same numbers as a session in this thread', async () => {
  const setup = { model: linearModel(), factor: 0.5 };
  const here = await create(setup);
  const there = await openSession<Setup>(served().here, setup);
  const curves = [];
  for (const session of [here, there]) {
    const losses: number[] = [];
    for await (const event of train(session, { data, order, epochs: 3, validation: { data } }))
      losses.push(
        ...(event.type === 'steps' ? event.result.losses : [event.validation?.loss ?? 0]),
      );
    curves.push(losses);
  }
  expect(curves[1]).toEqual(curves[0]);
  expect(curves[1]).toHaveLength(27);
  expect(there.stepCount).toBe(24);
  expect(await there.checkpoint()).toEqual(await here.checkpoint());
  expect((await there.getParameter('w')).data).toEqual((await here.getParameter('w')).data);
  expect(await there.exportModel()).toEqual(await here.exportModel());
  await Promise.all([here.release(), there.release()]);
});

test('tells what the session is', async () => {
  const setup = { model: linearModel() };
  const here = await create(setup);
  const there = await openSession<Setup>(served().here, setup);
  const { trainingInputs, trainableNames, provider, execution, warnings, metadata } = here;
  expect(there).toMatchObject({ trainingInputs, trainableNames, provider, execution });
  expect(there).toMatchObject({ warnings, metadata, stepCount: 0 });
  expect(there.settings.names).toEqual(here.settings.names);
});

test('sends a data set once, and batches every time', async () => {
  const { here, posted } = served();
  const session = await openSession<Setup>(here, { model: linearModel() });
  await session.steps({ data, rows: [rowsOf(0)] });
  await session.steps({ data, rows: [rowsOf(1)] });
  const kept = posted.filter((message) => (message as { type: string }).type === 'keep');
  expect(kept).toHaveLength(2);
  const batch = {
    x: new Tensor('float32', (data.x.data as Float32Array).subarray(2, 6), [2, 2]),
    target: new Tensor('float32', [1, 2], [2, 1]),
  };
  const { loss, metrics } = await session.step(batch);
  expect(loss).toBeGreaterThan(0);
  expect(metrics['scale-by.norm']).toBeGreaterThan(0);
  // Not moved away: the same batch serves again.
  expect(batch.x.data).toHaveLength(4);
  expect((await session.step(batch)).loss).not.toBe(loss);
});

test('carries the settings over, as numbers', async () => {
  const session = await openSession<Setup>(served().here, { model: linearModel() });
  await session.steps({ data, rows: [rowsOf(0)] });
  expect(session.learningRate).toBe(0.05);
  session.learningRate = 0.25;
  await session.steps({ data, rows: [rowsOf(1)] });
  expect(session.learningRate).toBe(0.25);
  await expect(session.settings.set('learningRat', 1)).rejects.toThrow('Did you mean learningRate');
  session.learningRate = -1;
  await expect(session.steps({ data, rows: [rowsOf(1)] })).rejects.toThrow('must be a number >= 0');
  await expect(session.settings.set('learningRate', () => 1)).rejects.toThrow('must be a number');
});

test('throws what the session throws', async () => {
  const { here } = served();
  const missing = { model: Uint8Array.of(1, 2, 3) };
  const refusal = await openSession<Setup>(here, missing).catch((error: unknown) => error);
  const local = await create(missing).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(GradwareError);
  expect(refusal).toEqual(local);
  const session = await openSession<Setup>(here, { model: linearModel() });
  await expect(session.getParameter('v')).rejects.toMatchObject({ code: 'UNKNOWN_PARAMETER' });
  await session.release();
  await expect(session.step({})).rejects.toMatchObject({ code: 'RELEASED' });
});

test('says that functions do not cross', async () => {
  const plugins = [halve({ factor: 1 })];
  await expect(openSession(served().here, { plugins })).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining('serveSession'),
  });
});

test('stops on a signal, between two steps', async () => {
  const session = await openSession<Setup>(served().here, { model: linearModel() });
  const controller = new AbortController();
  const { signal } = controller;
  const first = session.steps({ data, rows: [rowsOf(0)] }, { signal });
  const second = session.steps({ data, rows: [rowsOf(1)] }, { signal });
  controller.abort();
  const results = await Promise.allSettled([first, second]);
  expect(results[1]).toMatchObject({ reason: { code: 'ABORTED' } });
  await expect(session.step({}, { signal })).rejects.toMatchObject({ code: 'ABORTED' });
});

test('holds several sessions apart', async () => {
  const { here } = served();
  const [a, b] = await Promise.all([
    openSession<Setup>(here, { model: linearModel(), rate: 0.1 }),
    openSession<Setup>(here, { model: linearModel(), rate: 0 }),
  ]);
  await Promise.all([a, b].map((session) => session.steps({ data, rows: [rowsOf(0), rowsOf(1)] })));
  expect((await b.getParameter('w')).data).toEqual(Float32Array.of(0.5, -0.25));
  expect((await a.getParameter('w')).data).not.toEqual((await b.getParameter('w')).data);
});

test('waits for a worker that loads slowly', async () => {
  const { here, there } = ends();
  const opening = openSession<Setup>(here, { model: linearModel() });
  await new Promise((resolve) => setTimeout(resolve, 20));
  serveSession(create, there);
  expect((await opening).provider).toBe('cpu');
});

test('stops waiting on a signal for a worker that never serves', async () => {
  const { here } = ends();
  const controller = new AbortController();
  const opening = openSession<Setup>(here, { model: linearModel() }, { signal: controller.signal });
  controller.abort();
  await expect(opening).rejects.toMatchObject({ code: 'ABORTED' });
  const late = AbortSignal.timeout(10);
  await expect(openSession(here, {}, { signal: late })).rejects.toMatchObject({ code: 'ABORTED' });
});

const batchOf = (x: number) => ({
  x: new Tensor('float32', Float32Array.of(x, 2), [1, 2]),
  target: new Tensor('float32', Float32Array.of(1), [1, 1]),
});

test('makes calls in their order, with a signal or without', async () => {
  const session = await openSession<Setup>(served().here, { model: linearModel() });
  const { signal } = new AbortController();
  const done: number[] = [];
  const calls = [
    session.step(batchOf(1), { signal }),
    session.step(batchOf(2)),
    session.steps({ data, rows: [rowsOf(0)] }, { signal }),
    session.getParameter('w'),
  ];
  calls.forEach((call, i) => {
    call.then(() => done.push(i));
  });
  await Promise.all(calls);
  expect(done).toEqual([0, 1, 2, 3]);
});

test('takes a batch as it is when the call is made', async () => {
  const session = await openSession<Setup>(served().here, { model: linearModel(), rate: 0 });
  const batch = batchOf(1);
  const { loss } = await session.step(batch);
  const under = session.step(batch);
  (batch.x.data as Float32Array).fill(100);
  expect((await under).loss).toBe(loss);
});

test('is released once, however often one asks', async () => {
  const session = await openSession<Setup>(served().here, { model: linearModel() });
  await Promise.all([session.release(), session.release()]);
  await session.release();
});

test('does not hang when the worker is gone', async () => {
  const { here, close } = served();
  const session = await openSession<Setup>(here, { model: linearModel() });
  const running = session.steps({ data, rows: [rowsOf(0)] });
  close();
  await expect(running).rejects.toMatchObject({ code: 'RUNTIME' });
  await expect(session.step({})).rejects.toMatchObject({ code: 'RUNTIME' });
  await session.release();
});

test('is for workers', () => {
  expect(() => serveSession(create)).toThrow('A session is served from inside a worker');
});
