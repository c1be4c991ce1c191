import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { launch, noChromium } from '../browser/support/chromium.js';
import { type Served, serve } from '../browser/support/serve.js';

const path = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

/** A page without a bundler: the built file, and where ONNX Runtime is. */
const page = `<!doctype html>
<script type="importmap">
  { "imports": { "onnxruntime-web/webgpu": "/ort/ort.webgpu.bundle.min.mjs" } }
</script>
<script type="module">
  import { env, Tensor, TrainingSession } from '/min/web.js';

  let session;
  let batch;

  globalThis.begin = async () => {
    session = await TrainingSession.create('/digits/mlp.onnx', {
      executionProviders: ['webgpu', 'wasm'],
      learningRate: 0.01,
    });
    const [x, labels] = session.trainingInputs;
    const width = x.shape.slice(1);
    const size = width.reduce((product, n) => product * n, 1);
    batch = {
      [x.name]: new Tensor('float32', new Float32Array(2 * size).fill(0.5), [2, ...width]),
      [labels.name]: new Tensor('int64', BigInt64Array.of(0n, 1n), [2]),
    };
    const before = session.execution.provider;
    await session.steps([batch, batch]);
    await session.checkpoint();
    return { before, loss: (await session.step(batch)).loss };
  };
  globalThis.destroy = async () => (await env.webgpu.device).destroy();
  globalThis.goOn = async (first) => {
    const lost = await session[first](batch).catch(({ code }) => code);
    const back = session.stepCount;
    const again = (await session.step(batch)).loss;
    const { provider: after, description } = session.execution;
    const saved = (await session.checkpoint()).length;
    await session.release();
    return { lost, back, again, after, description, saved };
  };
</script>`;

type Told = Readonly<Record<string, number | string>>;

/** The process of the GPU ends, as when a driver resets. */
async function crash(browser: Browser): Promise<void> {
  const session = await browser.newBrowserCDPSession();
  await session.send('Browser.crashGpuProcess');
  await session.detach();
}

describe.skipIf(noChromium !== undefined)(
  `a page whose GPU goes away${noChromium ? `: ${noChromium}` : ''}`,
  { timeout: 120_000 },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'gradware-lost-'));
    let served: Served;
    let browser: Browser;

    beforeAll(async () => {
      writeFileSync(join(folder, 'index.html'), page);
      served = await serve({
        page: folder,
        ort: dirname(createRequire(import.meta.url).resolve('onnxruntime-web/webgpu')),
        min: path('packages/core/dist/min'),
        digits: path('models/digits'),
      });
    });
    beforeEach(async () => {
      browser = await launch({ webgpu: true });
    });
    afterEach(() => browser?.close());
    afterAll(async () => {
      await served?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    const destroy = (tab: Page) => tab.evaluate('destroy()');

    test.each([
      ['destroyed', destroy, 'step', ['webgpu']],
      // Whether there is another GPU then, the browser decides.
      ['lost with its process', () => crash(browser), 'runEvalStep', ['webgpu', 'wasm']],
    ])('%s: trains on', async (_, lose, first, next) => {
      const tab = await browser.newPage();
      await tab.goto(`${served.url}page/`);
      await tab.waitForFunction('globalThis.goOn !== undefined');
      const { before, loss } = (await tab.evaluate('begin()')) as Told;
      await lose(tab);
      // The news may take a while to the page.
      await tab.waitForTimeout(500);
      const told = (await tab.evaluate(`goOn('${first}')`)) as Told;
      expect(before).toBe('webgpu');
      expect(told).toMatchObject({ lost: 'DEVICE_LOST', back: 2 });
      expect(next).toContain(told.after);
      // The step after the one that was noted, once more, elsewhere.
      expect(Math.abs(Number(told.again) - Number(loss))).toBeLessThan(1e-4);
      expect(told.saved).toBeGreaterThan(10_000);
      const words = told.after === 'wasm' ? /^wasm, 1 thread: .* isolated.*not webgpu/ : /^webgpu/;
      expect(told.description).toMatch(words);
    });
  },
);
