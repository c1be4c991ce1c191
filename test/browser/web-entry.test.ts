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
    const [cdn, bundled] = [join(folder, 'cdn'), join(folder, 'vite')];
    let browser: Browser;
    let isolated: Served;
    let plain: Served;

    beforeAll(async () => {
      await buildCdn(cdn);
      await build({
        ...{ root: join(example, 'vite'), base: './', configFile: false, logLevel: 'error' },
        worker: { format: 'es' },
        build: { outDir: bundled, emptyOutDir: true, target: 'es2022' },
      });
      const folders = { cdn, ort, digits, bundled, example };
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
      await page.waitForFunction('globalThis.start !== undefined');
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
      const sizes = files.map((file) =>
        file.type === 'chunk' ? gzipSync(file.code).byteLength : 0,
      );
      const total = sizes.reduce((sum, size) => sum + size, 0);
      expect(total).toBeGreaterThan(20_000);
      expect(total).toBeLessThan(150_000);
    }, 60_000);
  },
);
