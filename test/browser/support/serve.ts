import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export interface Served {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves files under a folder (or under several, by the first part of the path) as a plain static host does; with the
 *  headers that make pages cross-origin isolated, or without. */
export async function serve(
  folders: string | Readonly<Record<string, string>>,
  { isolated = false } = {},
): Promise<Served> {
  const fileOf = (path: string) => {
    if (typeof folders === 'string') return join(folders, path);
    const [, first = '', rest = ''] = /^\/([^/]*)(.*)$/.exec(path) ?? [];
    const folder = folders[first];
    return folder === undefined ? undefined : join(folder, rest);
  };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const path = normalize(
      decodeURIComponent(pathname.endsWith('/') ? `${pathname}index.html` : pathname),
    );
    const file = fileOf(path);
    const found = file !== undefined && statSync(file, { throwIfNoEntry: false })?.isFile();
    if (file === undefined || found !== true) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'Content-Type': types[extname(file)] ?? 'application/octet-stream',
      ...(isolated && isolation),
    });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
