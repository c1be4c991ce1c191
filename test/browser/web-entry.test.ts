import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launch, noChromium } from './support/chromium.js';
import { type Served, serve } from './support/serve.js';

const example = fileURLToPath(new URL('example/', import.meta.url));
const digits = fileURLToPath(new URL('../../models/digits/', import.meta.url));
const { resolve } = createRequire(import.meta.url);
const ort = dirname(resolve('onnxruntime-web/webgpu'));

interface Outcome {
  readonly accuracy: number;
  readonly longestRun: number;
  readonly longestFrame: number;
  readonly frames: number;
  readonly bytes: number;
  readonly isolated: boolean;
}

/** ONNX Runtime's loader beside its binary, not inside: its threads start from that file. */
const conditions = ['onnxruntime-web-use-extern-wasm', 'module', 'browser', 'import'];

/** One module for each entry, as a CDN for modules makes them of the published packages. */
async function buildCdn(outDir: string): Promise<void> {
  await build({
    configFile: false,
    logLevel: 'error',
    build: {
      outDir,
      target: 'es2022',
      minify: true,
      lib: {
        entry: {
          web: resolve('@gradware/core/web'),
          worker: resolve('@gradware/core/worker'),
          data: resolve('@gradware/data'),
          'norm-clip': resolve('@gradware/plugin-norm-clip'),
        },
        formats: ['es'],
      },
    },
    resolve: { conditions },
  });
}

describe.skipIf(noChromium !== undefined)(
  `the web entry${noChromium ? `: ${noChromium}` : ''}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'gradware-web-'));
    const [cdn, bundled, threads] = ['cdn', 'vite', 'threads'].map((name) =>
      join(folder, name),
    ) as [string, string, string];
    let browser: Browser;
    let isolated: Served;
    let plain: Served;

    beforeAll(async () => {
      await buildCdn(cdn);
      for (const [root, outDir] of [
        ['vite', bundled],
        ['threads', threads],
      ] as const)
        await build({
          ...{ root: join(example, root), base: './', configFile: false, logLevel: 'error' },
          worker: { format: 'es' },
          build: { outDir, emptyOutDir: true, target: 'es2022' },
        });
      const folders = { cdn, ort, digits, bundled, threads, example };
      isolated = await serve(folders, { isolated: true });
      plain = await serve(folders);
      browser = await launch();
    }, 120_000);
    afterAll(async () => {
      await browser?.close();
      await isolated?.close();
      await plain?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    async function run(url: string): Promise<Outcome> {
      const page = await browser.newPage();
      const faults: string[] = [];
      page.on('pageerror', ({ message }) => faults.push(message));
      await page.goto(url);
      await page.waitForFunction('globalThis.start !== undefined', undefined, { timeout: 60_000 });
      const options = { files: new URL('/digits/', url).href, setup: { maxNorm: 1 } };
      const outcome = (await page.evaluate(`start(${JSON.stringify(options)})`)) as Outcome;
      await page.close();
      expect(faults).toEqual([]);
      return outcome;
    }

    function expectTrained(outcome: Outcome): void {
      expect(outcome.accuracy).toBeGreaterThan(0.95);
      expect(outcome.bytes).toBeGreaterThan(29_066 * 4);
      // The page goes on while a run of a whole epoch is under way in the worker.
      expect(outcome.frames).toBeGreaterThan(10);
      expect(outcome.longestFrame).toBeLessThan(outcome.longestRun / 2);
    }

    test.each([
      ['a plain script', 'example/plain/', true],
      ['a plain script, not isolated', 'example/plain/', false],
      ['Vite', 'bundled/', true],
      ['Vite, not isolated', 'bundled/', false],
    ])(
      '%s trains in a worker, and the page stays responsive',
      async (_, path, isIsolated) => {
        const outcome = await run(`${(isIsolated ? isolated : plain).url}${path}`);
        expect(outcome.isolated).toBe(isIsolated);
        expectTrained(outcome);
      },
      180_000,
    );

    interface Threaded {
      readonly threads?: number;
      readonly description?: string;
      readonly losses?: readonly number[];
      readonly error?: string;
      readonly workers: readonly string[];
    }

    /** Two steps on the page's own thread, in a browser that says it has eight cores. */
    async function stepOnPage(
      { url }: Served,
      options: { readonly threads?: number; readonly paths?: boolean },
    ): Promise<Threaded> {
      const page = await browser.newPage();
      const session = await page.context().newCDPSession(page);
      await session.send('Emulation.setHardwareConcurrencyOverride', { hardwareConcurrency: 8 });
      const workers: string[] = [];
      page.on('worker', (worker) => workers.push(worker.url()));
      await page.goto(`${url}threads/`);
      await page.waitForFunction('globalThis.start !== undefined', undefined, { timeout: 60_000 });
      const given = { ...options, model: new URL('/digits/cnn.onnx', url).href };
      const told = (await page.evaluate(`start(${JSON.stringify(given)})`)) as Threaded;
      await page.close();
      return { ...told, workers };
    }

    test('an isolated page uses threads, and says how many', async () => {
      const told = await stepOnPage(isolated, { threads: 2, paths: true });
      expect(told).toMatchObject({ threads: 2, description: 'wasm, 2 threads' });
      expect(told.losses).toHaveLength(2);
      // The other one is the page itself.
      expect(told.workers).toEqual([expect.stringMatching(/ort-wasm-simd-threaded.*\.mjs$/)]);
      const { losses = [] } = await stepOnPage(plain, { threads: 2, paths: true });
      losses.forEach((loss, i) => {
        expect(Math.abs(loss - (told.losses?.[i] ?? Number.NaN))).toBeLessThan(1e-5);
      });
    }, 240_000);

    test('a page that is not isolated has one thread, and says why', async () => {
      const told = await stepOnPage(plain, { threads: 2, paths: true });
      expect(told.threads).toBe(1);
      expect(told.description).toMatch(/^wasm, 1 thread: the page is not cross-origin isolated/);
      expect(told.workers).toEqual([]);
      expect(told.losses).toHaveLength(2);
    }, 240_000);

    test('where threads cannot start from the file of the page, none do, and it says so', async () => {
      const told = await stepOnPage(isolated, {});
      expect(told.description).toMatch(
        /^wasm, 1 thread: ONNX Runtime is in one file with the page/,
      );
      expect(told.losses).toHaveLength(2);
      expect(told.workers).toEqual([]);
      // Asked for in spite of that, they are an error that says what to do, not a page that waits for ever.
      const { error } = await stepOnPage(isolated, { threads: 2 });
      expect(error).toMatch(/threads of ONNX Runtime did not start.*env\.wasm\.wasmPaths/);
    }, 240_000);

    test('what a page loads to train is less than 150 kB, compressed, without ONNX Runtime', async () => {
      const entry = join(folder, 'page.js');
      const web = resolve('@gradware/core/web');
      writeFileSync(
        entry,
        `import { TrainingSession } from ${JSON.stringify(web)}; globalThis.session = TrainingSession;`,
      );
      const built = await build({
        ...{ root: folder, configFile: false, logLevel: 'error', resolve: { conditions } },
        build: {
          ...{ write: false, target: 'es2022' },
          rolldownOptions: { input: entry, external: /^onnxruntime-web/ },
        },
      });
      const files = [built].flat().flatMap((one) => ('output' in one ? one.output : []));
      const chunks = new Map(
        files.flatMap((file) => (file.type === 'chunk' ? [[file.fileName, file] as const] : [])),
      );
      // Not what is loaded once it is needed, as what writes checkpoints of ONNX Runtime; but one of the two doors.
      for (const door of ['source-forward', 'source-artifacts']) {
        const loaded = new Set(
          [...chunks.values()].filter(({ isEntry, name }) => isEntry || name === door),
        );
        expect(loaded.size).toBe(2);
        for (const { imports } of loaded)
          for (const name of imports) {
            const chunk = chunks.get(name);
            if (chunk !== undefined) loaded.add(chunk);
          }
        const total = [...loaded].reduce((sum, { code }) => sum + gzipSync(code).byteLength, 0);
        expect(total).toBeGreaterThan(20_000);
        expect(total, door).toBeLessThan(150_000);
      }
    }, 240_000);
  },
);
