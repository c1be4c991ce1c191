import { GradwareError } from '../errors.js';

/** A Worker or MessagePort of a browser. */
interface EventEndpoint {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener(type: string, listener: (event: unknown) => void): void;
}

/** A Worker or MessagePort of node:worker_threads. */
interface EmitterEndpoint {
  postMessage(message: unknown, transfer: readonly ArrayBuffer[]): void;
  on(event: string, listener: (value: unknown) => void): unknown;
}

/** One end of a channel between threads: a Worker seen from outside, its port seen from inside. */
export type Endpoint = EventEndpoint | EmitterEndpoint;

/** Calls `onMessage` with what the other end posts. */
export function listen(endpoint: Endpoint, onMessage: (message: unknown) => void): void {
  if ('on' in endpoint) endpoint.on('message', onMessage);
  else
    endpoint.addEventListener('message', (event) => onMessage((event as { data: unknown }).data));
  // A MessagePort that is listened to in this way has to be opened.
  if ('start' in endpoint && typeof endpoint.start === 'function') endpoint.start();
}

/** Calls `onEnd` when the other end cannot answer any more, with the reason. */
export function watch(endpoint: Endpoint, onEnd: (problem: string, cause?: unknown) => void): void {
  if ('threadId' in endpoint && endpoint.threadId === -1) onEnd('The worker has ended already');
  const reasonOf = (cause: unknown) =>
    cause instanceof Error || (typeof cause === 'object' && cause !== null && 'message' in cause)
      ? String(cause.message)
      : 'its script cannot be loaded';
  if ('on' in endpoint) {
    endpoint.on('error', (cause) => onEnd(`The worker failed: ${reasonOf(cause)}`, cause));
    endpoint.on('exit', (code) => onEnd(`The worker ended with exit code ${code}`));
    endpoint.on('close', () => onEnd('The port to the worker was closed'));
  } else {
    endpoint.addEventListener('error', (event) =>
      onEnd(`The worker failed: ${reasonOf(event)}`, event),
    );
    endpoint.addEventListener('close', () => onEnd('The port to the worker was closed'));
  }
}

interface Surroundings {
  readonly WorkerGlobalScope?: new () => unknown;
  readonly process?: {
    getBuiltinModule?(name: string): { readonly parentPort?: Endpoint | null } | undefined;
  };
}

/** The way out of the worker that this runs in.
 *  @throws GradwareError UNSUPPORTED outside of workers */
export function ownEndpoint(): Endpoint {
  const { WorkerGlobalScope, process } = globalThis as Surroundings;
  if (WorkerGlobalScope !== undefined && globalThis instanceof WorkerGlobalScope)
    return globalThis as unknown as Endpoint;
  // Not an import: pages and their bundlers must not stumble over it.
  const port = process?.getBuiltinModule?.('node:worker_threads')?.parentPort;
  if (port !== undefined && port !== null) return port;
  throw new GradwareError('UNSUPPORTED', 'A session is served from inside a worker', {
    where: 'serveSession',
    remedy: 'Call it in the module that new Worker(...) loads, or hand it a MessagePort.',
  });
}
