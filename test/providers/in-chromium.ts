import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { elementTypes } from '../../packages/core/src/onnx/element-types.js';
import type { DataType, TensorData, TypedArray } from '../../packages/core/src/onnx/ir.js';
import { launch } from '../browser/support/chromium.js';
import { type Served, serve } from '../browser/support/serve.js';
import type { Tensors } from './piece.js';
import type { Runner } from './runner.js';

interface Sent {
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly data: string;
}

/** After so many models the browser is replaced: its GPU process keeps what sessions took. */
const runsPerBrowser = 8;

const ort = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/webgpu'));
const page = fileURLToPath(new URL('page/', import.meta.url));

/** Runs models on onnxruntime-web, in a page of a real browser. No node may fall back to the CPU. */
export function inChromium(provider: 'webgpu' | 'wasm'): Runner {
  let served: Served | undefined;
  let browser: Browser | undefined;
  let open: Page | undefined;
  let runs = 0;

  async function openPage(): Promise<Page> {
    served ??= await serve({ ort, page });
    if (runs++ % runsPerBrowser === 0) {
      await browser?.close();
      browser = await launch({ webgpu: provider === 'webgpu' });
      open = undefined;
    }
    open ??= await (browser as Browser).newPage();
    // A new document: what a model that failed has left behind is gone.
    await open.goto(`${served.url}page/index.html`);
    await open.waitForFunction('globalThis.run !== undefined');
    return open;
  }

  async function freshPage(): Promise<Page> {
    try {
      return await openPage();
    } catch {
      // A browser that no longer opens pages says nothing of the model: another one, once.
      runs = 0;
      return openPage();
    }
  }

  return {
    async run(model, feeds): Promise<Tensors> {
      const fresh = await freshPage();
      const sent = [...feeds].map(([name, tensor]) => [name, encode(tensor)] as const);
      const question = [provider, Buffer.from(model).toString('base64'), sent];
      const answer = (await fresh.evaluate(
        `run(...${JSON.stringify(question)})`,
      )) as readonly (readonly [string, Sent])[];
      return new Map(answer.map(([name, tensor]) => [name, decode(tensor)]));
    },
    async close() {
      await browser?.close();
      await served?.close();
    },
  };
}

function encode({ type, dims, data }: TensorData): Sent {
  const { buffer, byteOffset, byteLength } = data as TypedArray;
  return { type, dims, data: Buffer.from(buffer, byteOffset, byteLength).toString('base64') };
}

function decode({ type, dims, data }: Sent): TensorData {
  const bytes = Uint8Array.from(Buffer.from(data, 'base64'));
  const { array } = elementTypes[type];
  if (array === undefined) throw new Error(`A tensor of ${type} came back`);
  return { type, dims, data: new array(bytes.buffer) };
}
