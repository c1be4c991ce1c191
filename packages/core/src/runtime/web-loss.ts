import type { Env, InferenceSession, InferenceSessionFactory } from 'onnxruntime-common';
import { messageOf } from '../errors.js';

/** What is used of a GPUDevice. */
interface GpuDevice {
  readonly lost: Promise<{ readonly reason?: string; readonly message?: string }>;
}

/** What became of a device. */
interface Fate {
  /** Set once it is lost. */
  readonly known: () => Error | undefined;
  readonly lost: Promise<Error>;
}

type Call<Result> = () => Promise<Result>;

/** How long a run may go on after its GPU has gone away, in milliseconds: most fail by themselves. */
const patience = 3000;
/** How long a run that failed waits for the news that the GPU has gone away, in milliseconds. */
const moment = 50;

/** Sessions that know when their GPU is gone. ONNX Runtime does not look: it fails somewhere in its own JavaScript, with
 *  words that say nothing of a device, or never comes back.
 *  @returns a factory whose sessions on webgpu fail with "webgpu device lost" from then on */
export function noticingLoss(
  factory: InferenceSessionFactory,
  env: Pick<Env, 'webgpu'>,
): InferenceSessionFactory {
  const fates = new WeakMap<object, Fate>();
  let latest: Fate | undefined;

  /** Of the device that ONNX Runtime has now: all sessions share it, and the last one that is released takes it along. */
  async function currentFate(): Promise<Fate | undefined> {
    const device = (await env.webgpu.device) as GpuDevice | undefined;
    if (device?.lost === undefined) return undefined;
    const fate = fates.get(device) ?? fateOf(device);
    fates.set(device, fate);
    return fate;
  }

  const create = factory.create.bind(factory) as (
    ...given: readonly unknown[]
  ) => Promise<InferenceSession>;
  return {
    async create(...given: readonly unknown[]) {
      if (!given.some(wantsGpu)) return create(...given);
      // Not refused beforehand: with its last session gone, ONNX Runtime asks for another device.
      const session = await create(...given).catch((error) => explain(error, latest));
      latest = await currentFate();
      return latest === undefined ? session : onDevice(session, latest);
    },
  };
}

function fateOf({ lost }: GpuDevice): Fate {
  let known: Error | undefined;
  const news = lost.then(({ reason = '', message = '' }) => {
    const why = [reason, message].filter((text) => text !== '').join(': ');
    known = new Error(`webgpu device lost (${why})`);
    return known;
  });
  return { known: () => known, lost: news };
}

function onDevice(session: InferenceSession, fate: Fate): InferenceSession {
  return new Proxy(session, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      const method = value.bind(target) as (...given: readonly unknown[]) => Promise<unknown>;
      return key === 'run'
        ? (...given: readonly unknown[]) => whileThere(fate, () => method(...given))
        : method;
    },
  });
}

/** What a call on a device gives, unless that goes away meanwhile. */
async function whileThere<Result>(fate: Fate, call: Call<Result>): Promise<Result> {
  const before = fate.known();
  if (before !== undefined) throw before;
  const gone = fate.lost.then(async (error): Promise<never> => {
    await sleep(patience);
    throw error;
  });
  gone.catch(() => undefined);
  try {
    return await Promise.race([call(), gone]);
  } catch (error) {
    return explain(error, fate);
  }
}

/** @throws the error, or that the device was lost where this is what it comes from */
async function explain(error: unknown, fate: Fate | undefined): Promise<never> {
  const loss = await Promise.race([fate?.lost, sleep(moment)]);
  if (loss === undefined || error === loss) throw error;
  throw new Error(`${loss.message}: ${messageOf(error)}`, { cause: error });
}

function wantsGpu(given: unknown): boolean {
  const { executionProviders = [] } = (given ?? {}) as InferenceSession.SessionOptions;
  return executionProviders.some(
    (provider) => (typeof provider === 'string' ? provider : provider.name) === 'webgpu',
  );
}

function sleep(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), milliseconds));
}
