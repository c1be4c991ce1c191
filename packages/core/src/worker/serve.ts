import type { Tensor } from 'onnxruntime-common';
import { GradwareError } from '../errors.js';
import { valueAt } from '../schedules/schedule.js';
import type { TrainingSession } from '../training/api.js';
import { type Endpoint, listen, ownEndpoint } from './endpoint.js';
import { lockOfLife } from './life.js';
import { pack, unpack } from './pack.js';
import { packError } from './pack-error.js';
import {
  fixedProperties,
  protocol,
  type Question,
  type Reply,
  type Request,
  readMessage,
  remoteMethods,
  type Standing,
} from './protocol.js';

type Outgoing<Message> = Message extends Reply ? Omit<Message, 'protocol'> : never;
type Method = (...values: readonly unknown[]) => Promise<unknown>;

/** Serves sessions to the thread that started this worker: `openSession` there calls `create` here, with the setup that
 *  it was given. Plugins, optimizers and schedules are functions, which no message can carry: they are made here, from
 *  what the setup says.
 *
 *      serveSession(({ model, maxNorm }: Setup) =>
 *        TrainingSession.create(model, { plugins: [normClip({ maxNorm })] }));
 *
 *  @param endpoint where the calls come from. Default: the thread that started this worker
 *  @throws GradwareError UNSUPPORTED outside of workers, where there is no endpoint */
export function serveSession<Setup>(
  create: (setup: Setup, signal: AbortSignal) => Promise<TrainingSession>,
  endpoint: Endpoint = ownEndpoint(),
): void {
  const sessions = new Map<number, TrainingSession>();
  const running = new Map<number, AbortController>();
  const kept = new Map<number, Tensor>();

  function post(reply: Outgoing<Reply>): void {
    const { value, transfer } = pack({ ...reply, protocol });
    endpoint.postMessage(value, transfer);
  }

  async function announce(): Promise<void> {
    post({ type: 'ready', lock: await lockOfLife(endpoint) });
  }

  function demand(session: number): TrainingSession {
    const found = sessions.get(session);
    if (found !== undefined) return found;
    throw new GradwareError('RELEASED', 'The session has been released', {
      remedy: 'Create a new one.',
    });
  }

  async function perform(request: Question, signal: AbortSignal): Promise<unknown> {
    switch (request.type) {
      case 'create': {
        const session = await create(unpack(request.setup, signal) as Setup, signal);
        sessions.set(request.session, session);
        return Object.fromEntries(fixedProperties.map((name) => [name, session[name]]));
      }
      case 'set':
        return demand(request.session).settings.set(request.name, request.value);
      case 'call': {
        const session = demand(request.session);
        if (!remoteMethods.includes(request.method)) return undefined;
        const known = (id: number) => kept.get(id) as Tensor;
        const values = unpack(request.values, signal, known) as readonly unknown[];
        const result = await (session[request.method] as Method)(...values);
        if (request.method === 'release') sessions.delete(request.session);
        return result;
      }
    }
  }

  listen(endpoint, (message) => {
    const request = readMessage<Request>(message);
    if (request === undefined) return;
    switch (request.type) {
      case 'hello':
        return void announce();
      case 'abort':
        return running.get(request.id)?.abort();
      case 'keep':
        return void kept.set(request.id, unpack(request.tensor) as Tensor);
      case 'forget':
        return void kept.delete(request.id);
      default:
        void answer(request);
    }
  });

  async function answer(request: Question): Promise<void> {
    const { id } = request;
    const controller = new AbortController();
    running.set(id, controller);
    const standing = () => standingOf(sessions.get(request.session));
    try {
      const value = await perform(request, controller.signal);
      post({ type: 'done', id, value, standing: standing() });
    } catch (error) {
      post({ type: 'failed', id, error: packError(error), standing: standing() });
    } finally {
      running.delete(id);
    }
  }

  // Whoever asked before this module was loaded hears it now.
  void announce();
}

/** Undefined once the session is released. */
function standingOf(session: TrainingSession | undefined): Standing | undefined {
  if (session === undefined) return undefined;
  const { stepCount, metadata, properties, warnings, settings } = session;
  return {
    stepCount,
    metadata,
    properties,
    warnings,
    settings: Object.fromEntries(
      settings.names.map((name) => [name, valueAt(settings.get(name), stepCount)]),
    ),
  };
}
