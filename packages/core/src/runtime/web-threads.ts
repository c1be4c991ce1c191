import type { Env, InferenceSession, InferenceSessionFactory } from 'onnxruntime-common';

/** Threads of wasm, which ONNX Runtime starts from the file that it lies in itself: where a bundler has put it into the
 *  file of the page, that would run the whole page once more in each thread, which ends at the first `document`, and
 *  ONNX Runtime would wait for them for ever. */
export interface WebThreads {
  /** Sessions whose first one finds threads that can start. */
  readonly sessions: InferenceSessionFactory;
  /** Why there is one thread only; undefined where the page decided. */
  note(): string | undefined;
}

type Wasm = Pick<Env['wasm'], 'numThreads' | 'wasmPaths'>;

/** The place that it starts from, by what any of its functions says when it fails. */
function scriptOf(ort: () => unknown): string | undefined {
  try {
    ort();
  } catch (error) {
    const { stack = '' } = error as Error;
    return /(?:https?|blob|file|data):[^\s()]+?(?=:\d+:\d+)/.exec(stack)?.[0];
  }
  return undefined;
}

/** ONNX Runtime in a file of its own, under any of the names that it is given. */
function isAlone(script: string): boolean {
  const file = script.split(/[?#]/)[0]?.split('/').at(-1) ?? '';
  return /\bort\b|^ort[-.]|onnxruntime/i.test(file);
}

const hint =
  'give env.wasm.wasmPaths the addresses of its .mjs and .wasm files, or let the sessions work in a Worker';

/** @param ort calls ONNX Runtime so that it throws
 *  @param page whether this is the thread of a page; it is a worker otherwise */
export function webThreads(
  factory: InferenceSessionFactory,
  wasm: Wasm,
  ort: () => unknown,
  page = 'document' in globalThis,
): WebThreads {
  let note: string | undefined;
  let opened: Promise<unknown> | undefined;
  let failure: Error | undefined;
  const create = factory.create.bind(factory) as (
    ...given: readonly unknown[]
  ) => Promise<InferenceSession>;

  function mayFail(): boolean {
    const script = scriptOf(ort);
    return page && wasm.wasmPaths === undefined && script !== undefined && !isAlone(script);
  }

  async function first(given: readonly unknown[]): Promise<InferenceSession> {
    if (!mayFail()) return create(...given);
    if ((wasm.numThreads ?? 0) > 0)
      return unlessThreadsFail(
        globalThis as unknown as Page,
        () => create(...given),
        (error) => {
          failure = error;
        },
      );
    wasm.numThreads = 1;
    const { crossOriginIsolated = false } = globalThis as { crossOriginIsolated?: boolean };
    if (crossOriginIsolated) note = `ONNX Runtime is in one file with the page: ${hint}`;
    return create(...given);
  }

  /** What is opened beside the first one, or after it: without threads ONNX Runtime never answers. */
  async function other(given: readonly unknown[]): Promise<InferenceSession> {
    await opened?.catch(() => undefined);
    if (failure !== undefined) throw failure;
    return create(...given);
  }

  return {
    sessions: {
      create(...given: readonly unknown[]) {
        if (opened !== undefined) return other(given);
        const session = first(given);
        opened = session;
        return session;
      },
    },
    note: () => note,
  };
}

/** What is used of the event of an error. */
interface Fault {
  readonly message?: string;
  readonly error?: unknown;
}

/** What is used of a page. */
interface Page {
  addEventListener(type: 'error', listen: (event: Fault) => void): void;
  removeEventListener: Page['addEventListener'];
}

/** What a thread says that cannot start: as it comes from there, without the error itself, or thrown on by
 *  ONNX Runtime, which listens from some time on. */
function faultOfThread({ message, error }: Fault): string | undefined {
  const ofWorker = error instanceof Event ? (error as Fault).message : undefined;
  return ofWorker ?? (error === null || error === undefined ? message : undefined);
}

/** A thread that cannot start is reported to the page, and to nobody who waits for it. */
async function unlessThreadsFail<Result>(
  page: Page,
  start: () => Promise<Result>,
  note: (failure: Error) => void,
): Promise<Result> {
  let stop: () => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    const listen = (event: Fault) => {
      const reason = faultOfThread(event);
      if (reason === undefined) return;
      const failure = new Error(`the threads of ONNX Runtime did not start (${reason}): ${hint}`);
      note(failure);
      reject(failure);
    };
    page.addEventListener('error', listen);
    stop = () => page.removeEventListener('error', listen);
  });
  try {
    return await Promise.race([start(), failed]);
  } finally {
    stop();
  }
}
