import { Worker } from 'node:worker_threads';
import { Tensor } from '@gradware/core/node';
import { openSession } from '@gradware/core/worker';
import { afterEach, expect, test } from 'vitest';
import { perceptron } from '../support/perceptron.js';

interface Setup {
  readonly model: Uint8Array;
  readonly maxNorm: number;
  readonly fails?: boolean;
}

const workers: Worker[] = [];
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.terminate();
});

/** A worker as a server starts it: outside of the test runner, from the built packages. */
function start(file = './trainer.mjs'): Worker {
  const worker = new Worker(new URL(file, import.meta.url), { execArgv: [] });
  workers.push(worker);
  return worker;
}

const model = perceptron([64, 256, 10]);
const setup: Setup = { model, maxNorm: 1 };
const size = 64;
const data = {
  x: new Tensor(
    'float32',
    Float32Array.from({ length: size * 64 }, (_, i) => Math.sin(i * i)),
    [size, 64],
  ),
  labels: new Tensor(
    'int64',
    BigInt64Array.from({ length: size }, (_, i) => BigInt(i % 10)),
    [size],
  ),
};
const rows = Array.from({ length: 1500 }, () => Array.from({ length: size }, (_, i) => i));

test('trains in a thread of its own while this one goes on', async () => {
  const session = await openSession<Setup>(start(), setup);
  await session.steps({ data, rows: rows.slice(0, 1) });
  let [longest, ticks, last] = [0, 0, performance.now()];
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    ticks += 1;
  }, 2);
  const began = performance.now();
  const { losses, metrics } = await session.steps({ data, rows });
  const took = performance.now() - began;
  clearInterval(timer);
  expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0);
  expect(metrics['norm-clip.norm']).toHaveLength(rows.length);
  expect(session.stepCount).toBe(rows.length + 1);
  // In this thread, one run would have been one long pause.
  expect(ticks).toBeGreaterThan(5);
  expect(longest).toBeLessThan(took / 2);
  await session.release();
});

test('says so when the worker ends', async () => {
  const gone = openSession<Setup>(start(), { ...setup, fails: true });
  await expect(gone).rejects.toMatchObject({
    code: 'RUNTIME',
    problem: 'The worker ended with exit code 3',
  });
});

test('says so when the worker cannot be loaded', async () => {
  const opening = openSession<Setup>(start('./no-such-file.mjs'), setup);
  await expect(opening).rejects.toMatchObject({
    code: 'RUNTIME',
    problem: expect.stringContaining('no-such-file'),
  });
});

test('what is under way ends with a worker that is terminated', async () => {
  const worker = start();
  const [ended, other] = await Promise.all([
    openSession<Setup>(worker, setup),
    openSession<Setup>(worker, setup),
  ]);
  await ended.steps({ data, rows: rows.slice(0, 1) });
  const calls = [ended.steps({ data, rows }), other.steps({ data, rows })];
  await worker.terminate();
  for (const { status, ...told } of await Promise.allSettled(calls))
    expect({ status, ...told }).toMatchObject({ status: 'rejected', reason: { code: 'RUNTIME' } });
  await expect(ended.step({})).rejects.toMatchObject({
    problem: expect.stringContaining('exit code'),
  });
  // What it had is gone: there is nothing to be released, and nothing to fail in a `finally`.
  await Promise.all([ended.release(), other.release()]);
});

test('says so when the worker has ended before', async () => {
  const worker = start();
  await worker.terminate();
  await expect(openSession<Setup>(worker, setup)).rejects.toMatchObject({
    code: 'RUNTIME',
    problem: 'The worker has ended already',
  });
});
