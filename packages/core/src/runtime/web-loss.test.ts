import type { Env, InferenceSession, InferenceSessionFactory } from 'onnxruntime-common';
import { expect, test } from 'vitest';
import { noticingLoss } from './web-loss.js';

type Run = () => Promise<unknown>;

/** A runtime with one device, whose sessions do as they are told. */
function fake(run: Run, opens: () => Promise<void> = async () => undefined) {
  let lose: (info: { reason: string; message: string }) => void = () => undefined;
  const lost = new Promise((resolve) => {
    lose = resolve;
  });
  const factory = {
    create: async () => {
      await opens();
      return { run };
    },
  } as unknown as InferenceSessionFactory;
  const env = { webgpu: { device: Promise.resolve({ lost }) } } as unknown as Env;
  const { create } = noticingLoss(factory, env) as unknown as {
    create(options: InferenceSession.SessionOptions): Promise<{ run: Run }>;
  };
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

test('other errors, and other providers, are left alone', async () => {
  const { create, lose } = fake(() => Promise.reject(new Error('no such input')));
  await expect((await create(webgpu)).run()).rejects.toThrow(/^no such input$/);
  const onProcessor = await create({ executionProviders: ['wasm'] });
  lose();
  await expect(onProcessor.run()).rejects.toThrow(/^no such input$/);
});
