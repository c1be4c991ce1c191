import { adamw, definePlugin, type Feeds, sgd, type TrainingOptions } from '@gradware/core';
import { container, RUNTIME, TrainingSession } from '@gradware/core/node';
import { normClip } from '@gradware/plugin-norm-clip';
import { Tensor } from 'onnxruntime-node';
import { describe, expect, test, vi } from 'vitest';
import { perceptron } from '../support/perceptron.js';
import { noWebgpu, watched } from '../support/webgpu.js';

const missing = await noWebgpu();
if (missing !== undefined) console.warn(`Skipped: ${missing}`);

const inputs = 6;
const model = perceptron([inputs, 8, 3]);

function batch(seed: number): Feeds {
  const x = Float32Array.from({ length: 4 * inputs }, (_, i) => Math.sin(seed * 7 + i));
  const classes = BigInt64Array.from({ length: 4 }, (_, i) => BigInt((seed + i) % 3));
  return {
    x: new Tensor('float32', x, [4, inputs]),
    labels: new Tensor('int64', classes, [4]),
  };
}

async function open(provider: 'cpu' | 'webgpu', options: TrainingOptions = {}) {
  const watch = watched();
  const own = container.createChildContainer();
  own.register(RUNTIME, { useValue: watch.runtime });
  const session = await TrainingSession.create(model, {
    executionProviders: [provider],
    optimizer: adamw(),
    learningRate: 0.01,
    plugins: [normClip({ maxNorm: 1 })],
    ...options,
    container: own,
  });
  return { session, ...watch };
}

const numbersOf = (tensor: Tensor) => Array.from(tensor.data as Float32Array);

function expectClose(got: readonly number[], wanted: readonly number[], tolerance = 2e-4): void {
  expect(got).toHaveLength(wanted.length);
  got.forEach((value, i) => {
    expect(Math.abs(value - (wanted[i] ?? 0))).toBeLessThan(tolerance);
  });
}

/** Drops steps whose first input is large, as a guard would. */
const dropLarge = definePlugin({
  name: 'drop-large',
  options: {},
  transform(gradients, { op, drop }) {
    drop(op.Greater(op.globalNorm(gradients), 1e3));
    return gradients;
  },
});

const onHost = definePlugin({
  name: 'on-host',
  options: {},
  transformHost: (gradients, { state, metric }) => {
    const count = state('count', { length: 1 });
    count[0] = (count[0] ?? 0) + 1;
    metric('visits', count[0]);
    return gradients.map(({ parameter, shape, data }) => ({
      parameter,
      shape,
      data: data.map((value) => value / 2),
    }));
  },
});

describe.skipIf(missing !== undefined)('state on the GPU', { timeout: 120_000 }, () => {
  test('stays there: only the loss and the metrics come back, and old tensors are freed', async () => {
    // Once a second a session notes its state on the host, in case the GPU is lost: here time stands still.
    const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now());
    const { session, alive, fetched } = await open('webgpu');
    const reference = await open('cpu');
    await session.step(batch(0));
    await reference.session.step(batch(0));
    const resident = alive();
    // Four parameters with two moments each, and the optimizer's count.
    expect(resident).toBe(13);
    fetched();
    for (let step = 1; step < 8; step++) {
      const { loss, metrics } = await session.step(batch(step));
      const wanted = await reference.session.step(batch(step));
      expectClose([loss], [wanted.loss]);
      expectClose(Object.values(metrics), Object.values(wanted.metrics), 1e-3);
      expect(fetched()).toBe(1 + Object.keys(metrics).length);
      expect(alive()).toBe(resident);
    }
    clock.mockRestore();
    for (const name of session.trainableNames)
      expectClose(
        numbersOf(await session.getParameter(name)),
        numbersOf(await reference.session.getParameter(name)),
      );
    await session.release();
    expect(alive()).toBe(0);
  });

  test('evaluates, exports, saves and goes on from there', async () => {
    const { session, alive } = await open('webgpu');
    const there = await open('cpu');
    await session.steps([batch(0), batch(1), batch(2)]);
    const saved = await session.checkpoint();
    await there.session.loadCheckpoint(saved);
    expect(there.session.stepCount).toBe(3);
    const [mine, theirs] = await Promise.all(
      [session, there.session].map((own) => own.runEvalStep(batch(5))),
    );
    expect(mine).toBeDefined();
    for (const [name, tensor] of Object.entries(theirs ?? {}))
      expectClose(numbersOf((mine as Feeds)[name] as Tensor), numbersOf(tensor), 1e-4);
    expect(await session.exportModel()).toEqual(await there.session.exportModel());
    expect(numbersOf(await session.getContiguousParameters())).toEqual(
      numbersOf(await there.session.getContiguousParameters()),
    );
    const [next, same] = await Promise.all([
      session.steps([batch(3), batch(4)]),
      there.session.steps([batch(3), batch(4)]),
    ]);
    expectClose([...next.losses], [...same.losses]);
    const before = alive();
    await session.loadCheckpoint(saved);
    const again = await session.steps([batch(3), batch(4)]);
    expect([...again.losses]).toEqual([...next.losses]);
    expect(alive()).toBe(before);
    await session.release();
  });

  test('is set from the host', async () => {
    const { session, alive } = await open('webgpu');
    await session.step(batch(0));
    const [name = ''] = session.trainableNames;
    const old = await session.getParameter(name);
    const ones = new Tensor('float32', new Float32Array(old.size).fill(1), old.dims);
    const before = alive();
    await session.setParameter(name, ones);
    expect(numbersOf(await session.getParameter(name))).toEqual(numbersOf(ones));
    await session.step(batch(1));
    expect(alive()).toBe(before);
    const moved = numbersOf(await session.getParameter(name));
    expect(moved.every((value) => Math.abs(value - 1) < 0.05)).toBe(true);
    expect(moved).not.toEqual(numbersOf(ones));
    await session.release();
  });

  test('survives a dropped step untouched', async () => {
    const { session, alive } = await open('webgpu', { plugins: [dropLarge()] });
    await session.step(batch(0));
    const before = numbersOf(await session.getContiguousParameters());
    const { x, labels } = batch(1) as { x: Tensor; labels: Tensor };
    const large = new Tensor(
      'float32',
      (x.data as Float32Array).map((v) => v * 1e6),
      x.dims,
    );
    for (let i = 0; i < 3; i++)
      expect((await session.step({ x: large, labels })).dropped).toBe(true);
    expect(numbersOf(await session.getContiguousParameters())).toEqual(before);
    expect((await session.step(batch(1))).dropped).toBe(false);
    expect(numbersOf(await session.getContiguousParameters())).not.toEqual(before);
    expect(alive()).toBe(13);
    await session.release();
  });

  test('gradients too, where a step is made in two halves', async () => {
    const { session, alive } = await open('webgpu');
    const reference = await open('cpu');
    for (const own of [session, reference.session]) {
      await own.runTrainStep(batch(0));
      await own.runTrainStep(batch(1));
    }
    const mine = await session.gradients();
    for (const [name, tensor] of await reference.session.gradients())
      expectClose(numbersOf(mine.get(name) as Tensor), numbersOf(tensor));
    for (let step = 0; step < 3; step++) {
      for (const own of [session, reference.session]) {
        await own.runOptimizerStep();
        await own.lazyResetGrad();
        await own.runTrainStep(batch(step));
      }
    }
    expectClose(
      numbersOf(await session.getContiguousParameters()),
      numbersOf(await reference.session.getContiguousParameters()),
    );
    // Parameters, moments, count, and a gradient for each parameter.
    expect(alive()).toBe(17);
    await session.release();
  });

  test('with a plugin on the host in between', async () => {
    const { session, alive } = await open('webgpu', { plugins: [onHost()] });
    const reference = await open('cpu', { plugins: [onHost()] });
    for (let step = 0; step < 4; step++) {
      const { loss, metrics } = await session.step(batch(step));
      expectClose([loss], [(await reference.session.step(batch(step))).loss]);
      expect(metrics).toEqual({ 'on-host.visits': step + 1 });
      expect(alive()).toBe(13);
    }
    await session.release();
  });

  test('is lost with the GPU, and the session goes on from what the host has', async () => {
    const { session, failNext } = await open('webgpu', { executionProviders: ['webgpu', 'cpu'] });
    await session.steps([batch(0), batch(1)]);
    const saved = await session.checkpoint();
    await session.steps([batch(2), batch(3)]);
    failNext('WebGPU device lost (2): the driver went away');
    const lost = await session.step(batch(4)).catch((error: unknown) => error);
    expect(lost).toMatchObject({
      code: 'DEVICE_LOST',
      problem: 'webgpu lost its device after step 4',
      remedy: expect.stringContaining('back at step 2'),
    });
    expect(session.stepCount).toBe(2);
    failNext('WebGPU device lost (2): the driver went away');
    expect(await session.checkpoint()).toEqual(saved);
    expect(session.execution.description).toMatch(/^cpu; not webgpu: .*went away/);
    const reference = await open('cpu');
    await reference.session.loadCheckpoint(saved);
    const [mine, wanted] = await Promise.all(
      [session, reference.session].map((own) => own.steps([batch(2), batch(3)])),
    );
    expect(mine?.losses).toEqual(wanted?.losses);
    await session.release();
  });

  test('is lost while it is brought to the host, which is the same', async () => {
    const clock = vi.spyOn(performance, 'now');
    const { session, failNext } = await open('webgpu', { executionProviders: ['webgpu', 'cpu'] });
    await session.steps([batch(0), batch(1)]);
    const saved = await session.checkpoint();
    clock.mockReturnValue(performance.now() + 60_000);
    failNext('WebGPU device lost (2): the driver went away', 1);
    const lost = await session.step(batch(2)).catch((error: unknown) => error);
    clock.mockRestore();
    expect(lost).toMatchObject({
      code: 'DEVICE_LOST',
      remedy: expect.stringContaining('back at step 2'),
    });
    expect(await session.checkpoint()).toEqual(saved);
    expect((await session.step(batch(2))).loss).toBeGreaterThan(0);
    await session.release();
  });

  test.each([
    ['VK_ERROR_OUT_OF_DEVICE_MEMORY', 'OUT_OF_MEMORY'],
    ['Buffer size (4294967296) exceeds the max buffer size limit (1073741824)', 'UNSUPPORTED'],
    ['Something else', 'RUNTIME'],
  ])('a step that fails with %s changes nothing', async (message, code) => {
    const { session, failNext, alive } = await open('webgpu');
    await session.step(batch(0));
    const before = alive();
    const saved = await session.checkpoint();
    failNext(message);
    await expect(session.step(batch(1))).rejects.toMatchObject({ code });
    expect(alive()).toBe(before);
    expect(await session.checkpoint()).toEqual(saved);
    expect((await session.step(batch(1))).loss).toBeGreaterThan(0);
    await session.release();
  });

  test('takes no more memory after 2000 steps', async () => {
    const { session, alive } = await open('webgpu', { optimizer: sgd(), plugins: [] });
    const many = Array.from({ length: 100 }, (_, i) => batch(i % 5));
    await session.steps(many);
    const resident = alive();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 20; i++) await session.steps(many);
    expect(session.stepCount).toBe(2100);
    expect(alive()).toBe(resident);
    // A tensor takes a buffer of its own: kept, 5 of them a step would be 40 MB or more.
    expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(25);
    await session.release();
    expect(alive()).toBe(0);
  });
});
