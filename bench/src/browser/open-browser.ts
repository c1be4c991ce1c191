import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Page } from 'playwright-core';
import { build, defaultClientConditions, preview } from 'vite';

const path = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
const root = fileURLToPath(new URL('../../page/', import.meta.url));

/** What lets pages use threads, and measure time as finely as they can. */
const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

const flags = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu-sandbox',
  '--enable-unsafe-webgpu',
  '--enable-unsafe-swiftshader',
  '--disable-background-networking',
  '--disable-component-update',
  '--no-first-run',
];

/** Counts what is sent to a GPU: compute shaders in WebGPU, drawings in WebGL. */
function countDispatches(): void {
  const scope = globalThis as unknown as Record<string, { readonly prototype: object } | undefined>;
  const counted = { dispatches: 0 };
  const methods = {
    GPUComputePassEncoder: ['dispatchWorkgroups', 'dispatchWorkgroupsIndirect'],
    WebGL2RenderingContext: ['drawArrays', 'drawElements'],
  };
  for (const [name, own] of Object.entries(methods)) {
    const prototype = scope[name]?.prototype as Record<string, unknown> | undefined;
    for (const method of prototype === undefined ? [] : own) {
      const original = prototype?.[method] as (...given: readonly unknown[]) => unknown;
      Object.assign(prototype as object, {
        [method](...given: unknown[]) {
          counted.dispatches++;
          return original.apply(this, given);
        },
      });
    }
  }
  Object.assign(globalThis, { counted });
}

export interface BenchBrowser {
  readonly version: string;
  /** A page of its own for each contender: no library meets the threads and the memory of another. */
  newPage(): Promise<Page>;
  /** Writes a file beside the page. @returns its URL there */
  publish(name: string, write: (path: string) => void): string;
  close(): Promise<void>;
}

/** Builds the page and serves it to a headless Chromium.
 *  @returns the reason where there is none */
export async function openBrowser(): Promise<BenchBrowser | string> {
  if (!existsSync(path)) return `There is no Chromium at ${path}: set CHROMIUM_PATH.`;
  const outDir = mkdtempSync(join(tmpdir(), 'gradware-bench-'));
  await build({
    ...{ root, base: './', configFile: false, logLevel: 'error' },
    resolve: { conditions: ['@gradware/source', ...defaultClientConditions] },
    // Not minified: the workers of TensorFlow.js are functions turned into text, and would miss their names.
    build: { outDir, emptyOutDir: true, target: 'es2022', minify: false },
  });
  const tensorflow = createRequire(import.meta.url).resolve(
    '@tensorflow/tfjs-backend-wasm/package.json',
  );
  cpSync(join(dirname(tensorflow), 'wasm-out'), join(outDir, 'tfjs-wasm'), { recursive: true });
  const server = await preview({
    ...{ root, configFile: false, logLevel: 'error' },
    build: { outDir },
    preview: { host: '127.0.0.1', port: 0, headers },
  });
  const url = server.resolvedUrls?.local[0] ?? '';
  const browser = await chromium.launch({ executablePath: path, headless: false, args: flags });
  return {
    version: browser.version(),
    async newPage() {
      const page = await browser.newPage();
      await page.addInitScript(countDispatches);
      await page.goto(url);
      await page.waitForFunction('"bench" in globalThis');
      return page;
    },
    publish(name, write) {
      write(join(outDir, name));
      return new URL(name, url).href;
    },
    async close() {
      await browser.close();
      await server.close();
      rmSync(outDir, { recursive: true, force: true });
    },
  };
}
