import { GradwareError } from '../errors.js';
import { didYouMean } from '../options/nearest.js';
import type { TrainingSession } from '../training/api.js';
import { type Channel, channelTo } from './channel.js';
import type { Endpoint } from './endpoint.js';
import { type Fixed, type RemoteMethod, remoteMethods, type Standing } from './protocol.js';

/** A session that lives in a worker: the methods are those of TrainingSession. What may differ:
 *  - tensors go over as copies, and those that come back lie on the CPU;
 *  - a data set of `steps({ data, rows })` is sent with its first use and kept over there: later changes of its numbers
 *    are not seen, unless they lie in shared memory;
 *  - settings are numbers; schedules are made in the worker, and read here as what they are at this step. */
export interface RemoteSession extends TrainingSession {
  readonly settings: {
    readonly names: readonly string[];
    get(name: string): number;
    /** Resolves when the change has reached the session. */
    set(name: string, value: TrainingSession['learningRate']): Promise<void>;
  };
}

/** Opens a session in a worker that calls `serveSession`. A worker can hold several; whoever started it ends it, after
 *  `release`. What is under way when it ends is rejected (on pages that are no secure contexts, browsers do not tell).
 *
 *      const worker = new Worker(new URL('./trainer.js', import.meta.url), { type: 'module' });
 *      const session = await openSession<Setup>(worker, { model: 'digits/', maxNorm: 1 });
 *
 *  @param worker a Worker of the browser or of node:worker_threads, or a MessagePort
 *  @param setup what `serveSession` makes the session from; anything that can be cloned, tensors and URLs included
 *  @param options.signal ends the waiting, too, for a worker that loads slowly or never serves
 *  @throws GradwareError what creating the session throws over there; RUNTIME where the worker fails or ends,
 *  INVALID_OPTION for a setup with functions in it */
export async function openSession<Setup>(
  worker: Endpoint,
  setup: Setup,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<RemoteSession> {
  const channel = channelTo(worker);
  const session = channel.next();
  let standing: Standing = {
    stepCount: 0,
    metadata: {},
    properties: {},
    warnings: [],
    settings: {},
  };
  const onStanding = (now: Standing) => {
    standing = now;
  };
  const fixed = (await channel.ask(
    { type: 'create', session, setup, ...(signal && { signal }) },
    onStanding,
  )) as Fixed;
  return remoteSession(channel, session, fixed, () => standing, onStanding);
}

function remoteSession(
  channel: Channel,
  session: number,
  fixed: Fixed,
  standing: () => Standing,
  onStanding: (now: Standing) => void,
): RemoteSession {
  /** Changes through the setter of the learning rate: the next call tells if one was refused. */
  let changing: Promise<void> = Promise.resolve();

  async function call(method: RemoteMethod, values: readonly unknown[]): Promise<unknown> {
    const changed = changing;
    changing = Promise.resolve();
    const answer = channel.ask({ type: 'call', session, method, values }, onStanding);
    const [, result] = await Promise.all([changed, answer]);
    return result;
  }

  async function set(name: string, value: TrainingSession['learningRate']): Promise<void> {
    if (typeof value !== 'number')
      throw new GradwareError('INVALID_OPTION', `${name} in a worker must be a number`, {
        remedy: 'Make schedules in the function that the worker hands to serveSession.',
      });
    await channel.ask({ type: 'set', session, name, value }, onStanding);
  }

  function get(name: string): number {
    const { settings } = standing();
    const found = settings[name];
    if (found !== undefined) return found;
    throw new GradwareError('INVALID_OPTION', `There is no setting "${name}"`, {
      remedy: didYouMean(name, Object.keys(settings)),
    });
  }

  const methods = Object.fromEntries(
    remoteMethods.map((method) => [method, (...values: unknown[]) => call(method, values)]),
  ) as Pick<TrainingSession, RemoteMethod>;

  /** Once, as here; what a worker that is gone had is gone. */
  async function release(): Promise<void> {
    try {
      await methods.release();
    } catch (error) {
      if (!channel.hasEnded()) throw error;
    }
  }
  let released: Promise<void> | undefined;

  return {
    ...fixed,
    ...methods,
    release() {
      released ??= release();
      return released;
    },
    get stepCount() {
      return standing().stepCount;
    },
    get properties() {
      return standing().properties;
    },
    get metadata() {
      return standing().metadata;
    },
    get warnings() {
      return standing().warnings;
    },
    get learningRate() {
      return get('learningRate');
    },
    set learningRate(value) {
      changing = set('learningRate', value);
      changing.catch(() => undefined);
    },
    settings: {
      get names() {
        return Object.keys(standing().settings);
      },
      get,
      set,
    },
  };
}
