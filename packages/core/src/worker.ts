export type { Endpoint } from './worker/endpoint.js';
export { openSession, type RemoteSession } from './worker/open.js';
export { serveSession } from './worker/serve.js';
