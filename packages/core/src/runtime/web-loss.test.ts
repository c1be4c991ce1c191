import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Env, InferenceSession } from 'onnxruntime-common';
import { expect, test } from 'vitest';
import { noticingLoss } from './web-loss.js';

type Run = () => Promise<unknown>;

type Opens = (options: InferenceSession.SessionOptions) => Promise<void>;

/** A runtime with one device, whose sessions do as they are told. */
function fake(
  run: Run,
  opens: Opens = async () => undefined,
  { release, adapters }: { readonly release?: Run; readonly adapters?: (object | null)[] } = {},
) {
  let lose: (info: { reason: string; message: string }) => void = () => undefined;
  const lost = new Promise((resolve) => {
    lose = resolve;
  });
  const opened = async (...given: readonly unknown[]) => {
    await opens((given.at(-1) ?? {}) as InferenceSession.SessionOptions);
    return { run, release } as unknown as InferenceSession;
  };
  const env = { webgpu: { device: Promise.resolve({ lost }) } } as unknown as Env;
  const gpu = adapters && { requestAdapter: async () => adapters.shift() ?? null };
  const create = noticingLoss(opened, env, gpu) as unknown as (
    options: InferenceSession.SessionOptions,
  ) => Promise<{ run: Run; release: Run }>;
  return { create, lose: () => lose({ reason: 'unknown', message: 'the driver went away' }) };
}

const webgpu = { executionProviders: ['webgpu'] };
const said = 'webgpu device lost (unknown: the driver went away)';

test('a session does not run once its device is gone', async () => {
  let runs = 0;
  const { create, lose } = fake(async () => ++runs);
  const session = await create(webgpu);
  expect(await session.run()).toBe(1);
  lose();
  await Promise.resolve();
  await expect(session.run()).rejects.toThrow(said);
  expect(runs).toBe(1);
});

test('a run that the device leaves says so, whatever words ONNX Runtime has for it', async () => {
  const { create, lose } = fake(async () => {
    lose();
    throw new TypeError("Cannot read properties of undefined (reading 'destroy')");
  });
  const session = await create({ executionProviders: [{ name: 'webgpu' }] });
  await expect(session.run()).rejects.toThrow(`${said}: Cannot read properties`);
});

test('a run that never comes back is given up when the device is gone', async () => {
  const { create, lose } = fake(() => new Promise(() => undefined));
  const session = await create(webgpu);
  const running = session.run();
  lose();
  await expect(running).rejects.toThrow(said);
  await expect(create(webgpu)).rejects.toThrow('ONNX Runtime is stuck');
});

test('a session that cannot be opened where the device was says so', async () => {
  let lost = false;
  const destroy = "Cannot read properties of undefined (reading 'destroy')";
  const { create, lose } = fake(
    async () => 1,
    async () => {
      if (lost) throw new TypeError(destroy);
    },
  );
  await create(webgpu);
  lost = true;
  await expect(create(webgpu)).rejects.toThrow(/^Cannot read properties/);
  lose();
  await expect(create(webgpu)).rejects.toThrow(`${said}: ${destroy}`);
});

test('other errors are left alone', async () => {
  const { create } = fake(() => Promise.reject(new Error('no such input')));
  await expect((await create(webgpu)).run()).rejects.toThrow(/^no such input$/);
});

/** Wants a GPU and does not get it: an exception of C++ comes out of ONNX Runtime as a number. */
const isRefused: Opens = async ({ executionProviders = [] }) => {
  if (executionProviders.some((provider) => provider === 'webgpu')) throw 9_974_112;
};

test('where ONNX Runtime is stuck, no GPU is asked for any more', async () => {
  const opened: unknown[] = [];
  const { create } = fake(
    async () => 1,
    async (options) => {
      opened.push(options.executionProviders);
      return isRefused(options);
    },
  );
  const stuck = /^webgpu device lost \(or refused\): ONNX Runtime is stuck.*reloaded/;
  await expect(create(webgpu)).rejects.toThrow(stuck);
  // A session of wasm that cannot be opened, after which no other one waits for the GPU.
  expect(opened).toEqual([['webgpu'], ['wasm']]);
  await expect(create(webgpu)).rejects.toThrow(stuck);
  expect(opened).toHaveLength(2);
});

test('a release that fails on a lost device leaves ONNX Runtime stuck', async () => {
  const failing = fake(async () => 1, undefined, {
    release: () => Promise.reject(new TypeError("Cannot read properties of undefined ('destroy')")),
  });
  const session = await failing.create(webgpu);
  await expect(session.release()).rejects.toThrow(/^Cannot read/);
  failing.lose();
  await Promise.resolve();
  await session.release();
  await expect(failing.create(webgpu)).rejects.toThrow('ONNX Runtime is stuck');
});

test('a call that ended in time leaves nothing stuck', { timeout: 10_000 }, async () => {
  const { create, lose } = fake(async () => 1);
  await (await create(webgpu)).run();
  lose();
  await new Promise((resolve) => setTimeout(resolve, 3200));
  expect(await create(webgpu)).toBeDefined();
});

test('what runs give is not held for as long as the device lives', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { create } = fake(async () => ({ loss: 1 }));
  const session = await create(webgpu);
  const given = new WeakRef((await session.run()) as object);
  await new Promise((resolve) => setTimeout(resolve, 10));
  collect();
  expect(given.deref()).toBeUndefined();
});

test('ONNX Runtime is not asked for a GPU that the browser does not have', async () => {
  let opens = 0;
  const { create } = fake(
    async () => 1,
    async () => {
      opens += 1;
    },
    // The first answer after a crash is of the GPU that is gone.
    { adapters: [null, {}, null, null, {}] },
  );
  await create(webgpu);
  await create(webgpu);
  expect(opens).toBe(2);
  await expect(create(webgpu)).rejects.toThrow('webgpu device lost: the browser has no other now');
  expect(opens).toBe(2);
  await create(webgpu);
  expect(opens).toBe(3);
});
