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

  const open = (executionProviders) =>
    TrainingSession.create('/digits/mlp.onnx', { executionProviders, learningRate: 0.01 });

  globalThis.begin = async (wanted = ['webgpu', 'wasm']) => {
    session = await open(wanted);
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
  /** The browser has an adapter, and gives no device: its process ended in between, or the driver has had enough. */
  globalThis.refuse = () => {
    GPUAdapter.prototype.requestDevice = () =>
      Promise.reject(new DOMException('no device', 'OperationError'));
  };
  globalThis.moveOn = async () => {
    const errors = [];
    for (const _ of Array(2)) await session.step(batch).catch(({ code, message }) => errors.push(code, message));
    const back = session.stepCount;
    const kept = await session.checkpoint();
    const name = session.trainableNames[0];
    const weight = [...(await session.getParameter(name)).data];
    await session.release();
    const next = await open(['wasm']);
    await next.loadCheckpoint(kept);
    const same = [...(await next.getParameter(name)).data].every((x, i) => x === weight[i]);
    const again = (await next.step(batch)).loss;
    await next.release();
    return { errors, back, same, again };
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

/** What becomes of a session that wants webgpu only, once no GPU is to be had. */
interface Moved {
  readonly errors: readonly string[];
  readonly back: number;
  readonly same: boolean;
  readonly again: number;
}

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

    const open = async () => {
      const tab = await browser.newPage();
      await tab.goto(`${served.url}page/`);
      await tab.waitForFunction('globalThis.goOn !== undefined');
      return tab;
    };
    const destroy = (tab: Page) => tab.evaluate('destroy()');

    test.each([
      ['destroyed', destroy, 'step', ['webgpu']],
      // Whether there is another GPU then, the browser decides.
      ['lost with its process', () => crash(browser), 'runEvalStep', ['webgpu', 'wasm']],
    ])('%s: trains on', async (_, lose, first, next) => {
      const tab = await open();
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

    // ONNX Runtime stops in the middle then, with a lock that whoever comes next would wait for, and the page with it.
    test('is refused one while it is opened: trains without', async () => {
      const tab = await open();
      await tab.evaluate('refuse()');
      expect(await tab.evaluate('begin()')).toMatchObject({ before: 'wasm' });
      expect(await tab.evaluate('begin()')).toMatchObject({ before: 'wasm' });
    });

    test('lost, and another one refused: trains on without', async () => {
      const tab = await open();
      const { loss } = (await tab.evaluate('begin()')) as Told;
      await tab.evaluate('refuse()');
      await destroy(tab);
      await tab.waitForTimeout(500);
      const told = (await tab.evaluate("goOn('step')")) as Told;
      expect(told).toMatchObject({ lost: 'DEVICE_LOST', back: 2, after: 'wasm' });
      expect(told.description).toMatch(/not webgpu: webgpu device lost .*ONNX Runtime is stuck/);
      expect(Math.abs(Number(told.again) - Number(loss))).toBeLessThan(1e-4);
    });

    test('lost, and nothing else wanted: saves what it was taught', async () => {
      const tab = await open();
      const { loss } = (await tab.evaluate("begin(['webgpu'])")) as Told;
      await tab.evaluate('refuse()');
      await destroy(tab);
      await tab.waitForTimeout(500);
      const { errors, back, same, again } = (await tab.evaluate('moveOn()')) as Moved;
      const [first, , second, message] = errors;
      expect([first, second]).toEqual(['DEVICE_LOST', 'RUNTIME']);
      expect(message).toMatch(
        /no other opens.*ONNX Runtime is stuck.*\n.*step 2, which can be saved/s,
      );
      expect({ back, same }).toEqual({ back: 2, same: true });
      expect(Math.abs(again - Number(loss))).toBeLessThan(1e-4);
    });
  },
);
