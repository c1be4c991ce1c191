import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launch, noChromium } from './support/chromium.js';
import { type Served, serve } from './support/serve.js';

const path = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));
const { resolve } = createRequire(import.meta.url);

const doors = [
  { door: 'web', ort: 'webgpu' },
  { door: 'wasm', ort: 'wasm' },
] as const;

/** What a page does with a session, and what it loads for that only then. */
const script = `
  export async function work(gradware, open, plugins) {
    const { Tensor, convertArtifacts, generateArtifacts, inspectFallbacks } = gradware;
    const session = await open('/digits/mlp.onnx');
    const feeds = {
      image: new Tensor('float32', Float32Array.from({ length: 512 }, (_, i) => Math.sin(i) ** 2), [8, 1, 8, 8]),
      labels: new Tensor('int64', BigInt64Array.from({ length: 8 }, (_, i) => BigInt(i % 10)), [8]),
    };
    const { loss, metrics } = await session.step(feeds);
    const told = { loss, metrics: Object.keys(metrics) };
    globalThis.stepped = true;
    const { loss: before } = await session.step(feeds);
    await session.loadCheckpoint(await session.checkpoint());
    const saved = await session.checkpoint({ format: 'ort' });
    const model = await session.exportModel();
    await session.loadCheckpoint(saved);
    const { loss: after } = await session.step(feeds);
    await session.release();
    const artifacts = await open('/digits/artifacts/mlp/');
    const { loss: other } = await artifacts.step(feeds);
    await artifacts.release();
    const counts = {
      generated: Object.keys(await generateArtifacts('/digits/mlp.onnx')).length,
      converted: Object.keys(await convertArtifacts('/digits/artifacts/mlp/')).length,
      fallbacks: (await inspectFallbacks('/digits/mlp.onnx')).length,
    };
    return { ...told, before, after, other, bytes: [saved.byteLength, model.byteLength], ...counts };
  }`;

const page = (door: string, ort: string) => `<!doctype html>
<link rel="icon" href="data:,">
<script type="importmap">
  { "imports": {
    "onnxruntime-web/${ort}": "/vendor/ort/ort.${ort}.min.mjs",
    "@gradware/core": "/vendor/gradware/${door}.js",
    "@gradware/plugin-norm-clip": "/vendor/norm-clip.js"
  } }
</script>
<script type="module">
  import * as gradware from '@gradware/core';
  import { normClip } from '@gradware/plugin-norm-clip';
  import { work } from '/page/work.js';
  globalThis.onPage = () => work(gradware, (model) =>
    gradware.TrainingSession.create(model, { plugins: [normClip()], executionProviders: ['wasm'] }));
  globalThis.inWorker = async () => {
    const worker = new Worker('/page/worker-${door}.js', { type: 'module' });
    const done = await work(gradware, (model) => gradware.openSession(worker, model));
    worker.terminate();
    return done;
  };
  globalThis.ended = async (how) => {
    const worker = new Worker('/page/worker-${door}.js', { type: 'module' });
    const [ended, other] = await Promise.all(
      ['mlp', 'cnn'].map((name) => gradware.openSession(worker, \`/digits/\${name}.onnx\`)));
    const data = {
      image: new gradware.Tensor('float32', new Float32Array(512), [8, 1, 8, 8]),
      labels: new gradware.Tensor('int64', new BigInt64Array(8), [8]),
    };
    const rows = Array.from({ length: 100_000 }, () => [0, 1, 2, 3, 4, 5, 6, 7]);
    const untilRefused = async () => {
      for (let i = 0; i < 10_000; i++) await ended.step(data);
    };
    await ended.step(data);
    if (how !== 'terminate') worker.postMessage(how);
    const calls = how === 'terminate' ? [ended.steps({ data, rows }), other.step(data)] : [untilRefused()];
    if (how === 'terminate') setTimeout(() => worker.terminate(), 200);
    const codes = [];
    for (const call of [...calls, ended.exportModel()])
      codes.push(await call.then(() => 'done', ({ code, problem }) => \`\${code}: \${problem}\`));
    await Promise.all([ended.release(), ended.release(), other.release()]);
    return codes;
  };
</script>`;

const worker = (door: string) => `
  import { TrainingSession, serveSession } from '/vendor/addressed/${door}.js';
  addEventListener('message', ({ data }) => {
    if (data === 'close') close();
    if (data === 'fail') throw new Error('out of luck');
  });
  serveSession((model) => TrainingSession.create(model, { executionProviders: ['wasm'] }));`;

interface Told {
  readonly loss: number;
  readonly metrics: readonly string[];
  readonly before: number;
  readonly after: number;
  readonly other: number;
  readonly bytes: readonly number[];
}

describe.skipIf(noChromium !== undefined)(
  `pages without a bundler${noChromium ? `: ${noChromium}` : ''}`,
  { timeout: 120_000 },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'gradware-plain-'));
    const addressed = join(folder, 'vendor/addressed');
    let served: Served;
    let browser: Browser;

    beforeAll(async () => {
      const vendor = join(folder, 'vendor');
      cpSync(path('packages/core/dist/min'), join(vendor, 'gradware'), { recursive: true });
      cpSync(path('packages/core/dist/min'), addressed, { recursive: true });
      cpSync(path('packages/plugins/norm-clip/dist/norm-clip.js'), join(vendor, 'norm-clip.js'));
      cpSync(dirname(resolve('onnxruntime-web/wasm')), join(vendor, 'ort'), {
        recursive: true,
        filter: (file) => !/\.(map|js)$/.test(file),
      });
      writeFileSync(join(folder, 'work.js'), script);
      for (const { door, ort } of doors) {
        writeFileSync(join(folder, `${door}.html`), page(door, ort));
        writeFileSync(join(folder, `worker-${door}.js`), worker(door));
        writeFileSync(
          join(addressed, door, 'ort.js'),
          `export * from '/vendor/ort/ort.${ort}.min.mjs';\n`,
        );
      }
      served = await serve({ page: folder, vendor, digits: path('models/digits') });
      browser = await launch();
    }, 240_000);
    afterAll(async () => {
      await browser?.close();
      await served?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    /** What it tells, and the files of Gradware that it has loaded until a step was made. */
    async function run(door: string, where: 'onPage' | 'inWorker') {
      const tab = await browser.newPage();
      const faults: string[] = [];
      const requested = new Set<string>();
      tab.on('pageerror', ({ message }) => faults.push(message));
      tab.on('requestfailed', (request) => faults.push(request.url()));
      tab.on('response', (response) => {
        if (response.status() >= 400) faults.push(`${response.status()} ${response.url()}`);
      });
      tab.on('request', (request) => requested.add(new URL(request.url()).pathname));
      await tab.goto(`${served.url}page/${door}.html`);
      // What stands in the way is told, not that it took long.
      await tab
        .waitForFunction('globalThis.onPage !== undefined', undefined, { timeout: 60_000 })
        .catch((error) => faults.push(error.message));
      expect(faults).toEqual([]);
      const telling = tab.evaluate(`${where}()`) as Promise<Told>;
      const loaded = tab
        .waitForFunction('globalThis.stepped', undefined, { timeout: 60_000, polling: 'raf' })
        .then(() => [...requested].filter((name) => name.startsWith('/vendor/gradware/')));
      const [told, files] = await Promise.all([telling, loaded]);
      await tab.close();
      expect(faults).toEqual([]);
      return { told, files };
    }

    function expectTold(told: Told): void {
      expect(told).toMatchObject({ generated: 7, converted: 5, fallbacks: 0 });
      const { loss, before, after, other, bytes } = told;
      expect(before).toBeLessThan(loss);
      expect(after).toBeLessThan(before);
      expect(Math.abs(other - loss)).toBeLessThan(1e-5);
      // Weights and moments; weights.
      const weights = 9_610 * 4;
      expect(bytes.map((count, i) => count > weights * (i === 0 ? 3 : 1))).toEqual([true, true]);
    }

    test.each(doors)(
      '$door trains on a page with an import map, plugins included',
      async ({ door }) => {
        const { told, files } = await run(door, 'onPage');
        expectTold(told);
        expect(told.metrics).toContain('norm-clip.norm');
        // All of Gradware's doors, optimizers and losses; a bundler leaves out what a page does not use.
        const sizes = files.map((name) => gzipSync(readFileSync(join(folder, name))).byteLength);
        const total = sizes.reduce((sum, size) => sum + size, 0);
        expect(total).toBeGreaterThan(100_000);
        expect(total).toBeLessThan(175_000);
        expect(files.length).toBeLessThan(15);
      },
    );

    test.each([
      ['terminate', 'The worker was terminated'],
      ['close', 'The worker was terminated'],
      ['fail', 'The worker failed: Uncaught Error: out of luck'],
    ])('calls under way are rejected when a worker ends: %s', async (how, problem) => {
      const tab = await browser.newPage();
      await tab.goto(`${served.url}page/wasm.html`);
      await tab.waitForFunction('globalThis.ended !== undefined', undefined, { timeout: 60_000 });
      const told = (await tab.evaluate(`ended(${JSON.stringify(how)})`)) as readonly string[];
      await tab.close();
      expect(new Set(told)).toEqual(new Set([`RUNTIME: ${problem}`]));
    });

    test.each(doors)('$door trains in a worker, which knows no import map', async ({ door }) => {
      const { told } = await run(door, 'inWorker');
      expectTold(told);
    });
  },
);
