import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { launch, noChromium } from '../browser/support/chromium.js';
import { serve } from '../browser/support/serve.js';

const path = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

/** A page without a bundler: the built file, and where ONNX Runtime is. */
const page = `<!doctype html>
<script type="importmap">
  { "imports": { "onnxruntime-web/webgpu": "/ort/ort.webgpu.bundle.min.mjs" } }
</script>
<script type="module">
  import { env, Tensor, TrainingSession } from '/min/web.js';

  globalThis.trainAndLose = async () => {
    const session = await TrainingSession.create('/digits/mlp.onnx', {
      executionProviders: ['webgpu', 'wasm'],
      learningRate: 0.01,
    });
    const [x, labels] = session.trainingInputs;
    const width = x.shape.slice(1);
    const size = width.reduce((product, n) => product * n, 1);
    const batch = {
      [x.name]: new Tensor('float32', new Float32Array(2 * size).fill(0.5), [2, ...width]),
      [labels.name]: new Tensor('int64', BigInt64Array.of(0n, 1n), [2]),
    };
    const before = session.execution.provider;
    await session.steps([batch, batch]);
    await session.checkpoint();
    const { loss } = await session.step(batch);
    (await env.webgpu.device).destroy();
    const lost = await session.step(batch).catch(({ code }) => code);
    const back = session.stepCount;
    const again = (await session.step(batch)).loss;
    const { provider: after, description } = session.execution;
    const saved = (await session.checkpoint()).length;
    await session.release();
    return { before, loss, lost, back, again, after, description, saved };
  };
</script>`;

test.skipIf(noChromium !== undefined)(
  `a page whose GPU goes away trains on without it${noChromium ? `: ${noChromium}` : ''}`,
  { timeout: 120_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gradware-lost-'));
    writeFileSync(join(folder, 'index.html'), page);
    const served = await serve({
      page: folder,
      ort: dirname(createRequire(import.meta.url).resolve('onnxruntime-web/webgpu')),
      min: path('packages/core/dist/min'),
      digits: path('models/digits'),
    });
    const browser = await launch({ webgpu: true });
    try {
      const tab = await browser.newPage();
      await tab.goto(`${served.url}page/`);
      await tab.waitForFunction('globalThis.trainAndLose !== undefined');
      const told = (await tab.evaluate('trainAndLose()')) as Record<string, number | string>;
      expect(told).toMatchObject({ before: 'webgpu', lost: 'DEVICE_LOST', back: 2, after: 'wasm' });
      // The step after the one that was noted, once more, elsewhere.
      expect(Math.abs(Number(told.again) - Number(told.loss))).toBeLessThan(1e-4);
      expect(told.saved).toBeGreaterThan(10_000);
      expect(told.description).toMatch(/^wasm, 1 thread: the page is not cross-origin isolated/);
      expect(told.description).toContain('not webgpu');
    } finally {
      await browser.close();
      await served.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
