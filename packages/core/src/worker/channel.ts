import type { Tensor } from 'onnxruntime-common';
import { GradwareError, messageOf, refuseAborted } from '../errors.js';
import { type Endpoint, listen, watch } from './endpoint.js';
import { watchLife } from './life.js';
import { pack, unpack } from './pack.js';
import { unpackError } from './pack-error.js';
import {
  protocol,
  type Question,
  type Reply,
  type Request,
  readMessage,
  type Standing,
} from './protocol.js';

type Without<Message, Key extends string> = Message extends Request ? Omit<Message, Key> : never;
type Asked = Without<Question, 'protocol' | 'id'>;

interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
  readonly onStanding: (standing: Standing) => void;
}

export interface Answer {
  readonly value: unknown;
}

/** The way to a worker: calls that are answered, data sets that are sent once. */
export interface Channel {
  /** A number that no other session of this worker has. */
  next(): number;
  ask(question: Asked, onStanding: (standing: Standing) => void): Promise<unknown>;
  /** Whether the worker is gone. */
  hasEnded(): boolean;
}

const channels = new WeakMap<Endpoint, Channel>();

/** One channel for all sessions of a worker. */
export function channelTo(endpoint: Endpoint): Channel {
  const channel = channels.get(endpoint) ?? createChannel(endpoint);
  channels.set(endpoint, channel);
  return channel;
}

function createChannel(endpoint: Endpoint): Channel {
  const pending = new Map<number, Pending>();
  const sent = new WeakMap<Tensor, number>();
  const unused = new FinalizationRegistry<number>((id) => post({ type: 'forget', id }));
  let last = 0;
  let ended: GradwareError | undefined;
  let isReady = false;
  let lock: string | undefined;
  let onAnswer: () => void;
  const ready = new Promise<void>((resolve) => {
    onAnswer = resolve;
  });

  const next = () => {
    last += 1;
    return last;
  };

  function post(request: Without<Request, 'protocol'>, transfer: ArrayBuffer[] = []): void {
    try {
      endpoint.postMessage({ ...request, protocol }, transfer);
    } catch (cause) {
      const reason = messageOf(cause);
      throw new GradwareError('INVALID_OPTION', `This cannot be sent to a worker: ${reason}`, {
        remedy:
          'Functions (plugins, schedules, losses) do not cross from thread to thread: make them in the function that the worker hands to serveSession.',
        cause,
      });
    }
  }

  /** Data sets of `steps` are kept by the worker: each is sent with its first use. */
  function keep(tensor: Tensor): number {
    const known = sent.get(tensor);
    if (known !== undefined) return known;
    const id = next();
    const { value, transfer } = pack(tensor);
    post({ type: 'keep', id, tensor: value }, transfer);
    sent.set(tensor, id);
    unused.register(tensor, id);
    return id;
  }

  /** Whole data sets that `question` takes rows from. */
  function dataOf(question: Asked): ReadonlySet<unknown> {
    const [given] = question.type === 'call' && question.method === 'steps' ? question.values : [];
    const isRows =
      typeof given === 'object' && given !== null && 'rows' in given && 'data' in given;
    return new Set(
      isRows ? Object.values((given.data ?? {}) as Readonly<Record<string, unknown>>) : [],
    );
  }

  /** The worker serves now, or never will. */
  function settle(): void {
    isReady = true;
    onAnswer();
  }

  function onReady(held: string | undefined): void {
    if (lock === undefined && held !== undefined) watchLife(held, onEnd);
    lock = held;
    settle();
  }

  function onEnd(problem: string, cause?: unknown): void {
    ended ??= new GradwareError('RUNTIME', problem, {
      remedy: 'Start a new worker, and go on from the last checkpoint.',
      cause,
    });
    for (const { reject } of pending.values()) reject(ended);
    pending.clear();
    settle();
  }

  listen(endpoint, (message) => {
    const reply = readMessage<Reply>(message);
    if (reply === undefined) return;
    if (reply.type === 'ready') return onReady(reply.lock);
    const asked = pending.get(reply.id);
    pending.delete(reply.id);
    if (reply.standing !== undefined) asked?.onStanding(reply.standing);
    if (reply.type === 'done') asked?.resolve({ value: unpack(reply.value) });
    else asked?.reject(unpackError(reply.error));
  });
  watch(endpoint, onEnd);
  post({ type: 'hello' });

  return {
    next,
    hasEnded: () => ended !== undefined,
    async ask(question, onStanding) {
      const data = dataOf(question);
      const { value, transfer, signal } = pack(question, (tensor) =>
        data.has(tensor) ? keep(tensor) : undefined,
      );
      // What follows on each other has to stay in order.
      if (isReady) refuseAborted(signal);
      else await unlessAborted(ready, signal);
      if (ended !== undefined) throw ended;
      const id = next();
      const abort = () => post({ type: 'abort', id });
      const answer = new Promise<Answer>((resolve, reject) => {
        pending.set(id, { resolve, reject, onStanding });
      });
      signal?.addEventListener('abort', abort);
      try {
        post({ ...(value as Asked), id }, transfer);
        return (await answer).value;
      } finally {
        pending.delete(id);
        signal?.removeEventListener('abort', abort);
      }
    },
  };
}

/** @throws GradwareError ABORTED where the signal comes first: a worker that never serves answers nothing */
async function unlessAborted(event: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return event;
  let stop: () => void = () => undefined;
  const aborted = new Promise<void>((resolve) => {
    stop = resolve;
  });
  signal.addEventListener('abort', stop);
  if (!signal.aborted) await Promise.race([event, aborted]);
  signal.removeEventListener('abort', stop);
  refuseAborted(signal);
}
