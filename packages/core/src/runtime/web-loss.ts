import type { Env, InferenceSession } from 'onnxruntime-common';
import { messageOf } from '../errors.js';

/** What is used of a GPUDevice. */
interface GpuDevice {
  readonly lost: Promise<{ readonly reason?: string; readonly message?: string }>;
}

/** What became of a device. */
interface Fate {
  /** Set once it is lost. */
  readonly known: () => Error | undefined;
  /** What ends the calls that are under way, once they have had the time to fail by themselves. */
  readonly calls: Set<(error: Error) => void>;
}

/** What is used of `navigator.gpu`. */
interface Gpu {
  requestAdapter(): Promise<object | null>;
}

type Call<Result> = () => Promise<Result>;
type Create = (...given: readonly unknown[]) => Promise<InferenceSession>;

/** What all errors of this file begin with. */
const lostWords = 'webgpu device lost';
/** How long a call may go on after its GPU has gone away, in milliseconds: most fail by themselves. */
const patience = 3000;
/** How long a call that failed waits for the news that the GPU has gone away, in milliseconds. */
const moment = 50;

/** Sessions on webgpu that know when their GPU is gone. ONNX Runtime does not look: it fails somewhere in its own JavaScript, with
 *  words that say nothing of a device, or never comes back. Where it stops half-way, its locks stay locked, and the next
 *  session that asks for a GPU would stop the whole thread for ever: from then on none is asked for.
 *  @returns what opens sessions that fail with "webgpu device lost" from then on */
export function noticingLoss(
  create: Create,
  env: Pick<Env, 'webgpu'>,
  gpu = (globalThis as { readonly navigator?: { readonly gpu?: Gpu } }).navigator?.gpu,
): Create {
  const fates = new WeakMap<object, Fate>();
  let latest: Fate | undefined;
  let stuck: Error | undefined;

  const onStuck = (cause: unknown) => {
    stuck ??= new Error(
      `${lostWords} (or refused): ONNX Runtime is stuck in it, and uses no GPU in this page any more until that is reloaded (in a worker: until it is started anew)`,
      { cause },
    );
    return stuck;
  };

  /** Of the device that ONNX Runtime has now: all sessions share it, and the last one that is released takes it along. */
  async function currentFate(): Promise<Fate | undefined> {
    const device = (await env.webgpu.device) as GpuDevice | undefined;
    if (device?.lost === undefined) return undefined;
    const fate = fates.get(device) ?? fateOf(device);
    fates.set(device, fate);
    return fate;
  }

  /** ONNX Runtime gets stuck where the browser refuses it a GPU. After a crash the first answer is of the GPU that is
   *  gone. */
  async function demandGpu(): Promise<void> {
    if (stuck !== undefined) throw stuck;
    // Before the first session it asks by itself, and says what is missing.
    if (latest === undefined || gpu === undefined) return;
    if (((await gpu.requestAdapter()) ?? (await gpu.requestAdapter())) === null)
      throw new Error(`${lostWords}: the browser has no other now`);
  }

  /** What a call of ONNX Runtime gives, unless the device goes away meanwhile. */
  async function watched<Result>(call: Call<Result>, fate: Fate | undefined): Promise<Result> {
    const before = fate?.known();
    if (before !== undefined) throw before;
    let giveUp: (error: Error) => void = () => undefined;
    const gone = new Promise<never>((_, reject) => {
      giveUp = (error) => {
        onStuck(error);
        reject(error);
      };
    });
    fate?.calls.add(giveUp);
    try {
      return await Promise.race([call(), gone]);
    } catch (error) {
      // A number: an exception of its own, which nothing has caught.
      throw error instanceof Error ? await explained(error, fate) : onStuck(error);
    } finally {
      fate?.calls.delete(giveUp);
    }
  }

  function onDevice(session: InferenceSession, fate: Fate): InferenceSession {
    const calls: Readonly<Record<string, (method: Call<unknown>) => Promise<unknown>>> = {
      run: (method) => watched(method, fate),
      // Nothing is left to be freed; but the device is taken down under lock and key.
      release: (method) =>
        method().catch((error) => {
          if (fate.known() === undefined) throw error;
          onStuck(error);
        }),
    };
    return new Proxy(session, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function') return value;
        const method = value.bind(target) as (...given: readonly unknown[]) => Promise<unknown>;
        const call = calls[String(key)];
        return call === undefined
          ? method
          : (...given: readonly unknown[]) => call(() => method(...given));
      },
    });
  }

  /** It would ask whichever session comes next for the GPU of the one that failed. With a model that is none it forgets. */
  async function forget(): Promise<void> {
    const options = { executionProviders: ['wasm'], logSeverityLevel: 4 };
    await create(Uint8Array.of(0), options).catch(() => undefined);
  }

  return async (...given) => {
    await demandGpu();
    // A device that is lost is not refused: with its last session gone, ONNX Runtime asks for another.
    const fate = latest?.known() === undefined ? latest : undefined;
    try {
      const session = await watched(() => create(...given), fate);
      latest = await currentFate();
      return latest === undefined ? session : onDevice(session, latest);
    } catch (error) {
      await forget();
      throw await explained(error, latest);
    }
  };
}

/** One reaction serves all calls: those of their own would hold on to what each gives for as long as the device lives. */
function fateOf({ lost }: GpuDevice): Fate {
  let known: Error | undefined;
  const calls: Fate['calls'] = new Set();
  lost.then(async ({ reason = '', message = '' }) => {
    const why = [reason, message].filter((text) => text !== '').join(': ');
    const loss = new Error(`${lostWords} (${why})`);
    known = loss;
    await sleep(patience);
    for (const giveUp of calls) giveUp(loss);
  });
  return { known: () => known, calls };
}

/** The error, or that the device was lost where this is what it comes from. */
async function explained(error: unknown, fate: Fate | undefined): Promise<unknown> {
  const reason = messageOf(error);
  if (fate === undefined || reason.startsWith(lostWords)) return error;
  if (fate.known() === undefined) await sleep(moment);
  const loss = fate.known();
  return loss === undefined ? error : new Error(`${loss.message}: ${reason}`, { cause: error });
}

function sleep(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), milliseconds));
}
