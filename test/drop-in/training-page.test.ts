import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launch, noChromium } from '../browser/support/chromium.js';
import { type Served, serve } from '../browser/support/serve.js';

const path = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

/** A page as they were written for onnxruntime-web 1.17 to 1.19, but for the address that it imports from. */
const page = (door: string) => `<!doctype html>
<script type="importmap">
  { "imports": { "onnxruntime-web/${door === 'wasm' ? 'wasm' : 'webgpu'}": "/ort/ort.${door === 'wasm' ? 'wasm' : 'webgpu'}.bundle.min.mjs" } }
</script>
<script type="module">
  import * as ort from '/min/${door}.js';

  const EPOCHS = 8;
  const BATCH = 16;
  ort.env.logLevel = 'error';

  async function loadTrainingSession() {
    const createOptions = {
      checkpointState: '/artifacts/checkpoint',
      trainModel: '/artifacts/training_model.onnx',
      evalModel: '/artifacts/eval_model.onnx',
      optimizerModel: '/artifacts/optimizer_model.onnx',
    };
    return ort.TrainingSession.create(createOptions, { executionProviders: ['wasm'] });
  }

  function getBatch(width) {
    const images = Float32Array.from({ length: BATCH * width }, (_, i) => Math.sin(i) ** 2);
    const labels = BigInt64Array.from({ length: BATCH }, (_, i) => BigInt(i % 10));
    return {
      data: new ort.Tensor('float32', images, [BATCH, 1, 8, 8]),
      target: new ort.Tensor('int64', labels, [BATCH]),
    };
  }

  globalThis.train = async () => {
    const session = await loadTrainingSession();
    const { data, target } = getBatch(64);
    const feeds = { [session.trainingInputNames[0]]: data, [session.trainingInputNames[1]]: target };
    const lossName = session.trainingOutputNames[0];
    const losses = [];
    let shape;
    for (let epoch = 0; epoch < EPOCHS; epoch++) {
      const results = await session.runTrainStep(feeds);
      shape = Object.entries(results).map(([name, value]) =>
        [name, value instanceof ort.Tensor, value.type, value.dims, value.data.constructor.name]);
      losses.push(parseFloat(results[lossName].data));
      await session.runOptimizerStep();
      await session.lazyResetGrad();
    }
    const evaluated = await session.runEvalStep(feeds);
    const size = await session.getParametersSize(true);
    const parameters = await session.getContiguousParameters(true);
    const bytes = new Uint8Array(parameters.data.buffer);
    await session.loadParametersBuffer(bytes, true);
    const again = await session.runEvalStep(feeds);
    const evalNames = [session.evalInputNames, session.evalOutputNames];
    await session.release();
    const after = await session.runTrainStep(feeds).then(() => 'ran', (error) => error.message);
    const lossOf = (results) => parseFloat(results[evalNames[1][0]].data);
    return {
      losses, shape, lossName, evalNames, size, after,
      parameters: [parameters instanceof ort.Tensor, parameters.type, parameters.dims, parameters.size, parameters.location],
      evaluated: lossOf(evaluated), again: lossOf(again),
    };
  };
</script>`;

describe.skipIf(noChromium !== undefined)(
  `a page for onnxruntime-web/training${noChromium ? `: ${noChromium}` : ''}`,
  { timeout: 120_000 },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'gradware-drop-in-'));
    let served: Served;
    let browser: Browser;

    beforeAll(async () => {
      for (const door of ['wasm', 'web']) writeFileSync(join(folder, `${door}.html`), page(door));
      served = await serve({
        page: folder,
        ort: dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm')),
        min: path('packages/core/dist/min'),
        artifacts: path('models/digits/artifacts/cnn'),
      });
      browser = await launch();
    });
    afterAll(async () => {
      await browser?.close();
      await served?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    test.each(['wasm', 'web'])('trains from addresses, imported from %s', async (door) => {
      const tab = await browser.newPage();
      const faults: string[] = [];
      tab.on('pageerror', ({ message }) => faults.push(message));
      await tab.goto(`${served.url}page/${door}.html`);
      await tab.waitForFunction('globalThis.train !== undefined', undefined, { timeout: 60_000 });
      const told = (await tab.evaluate('train()')) as {
        readonly losses: readonly number[];
        readonly size: number;
        readonly evaluated: number;
      };
      await tab.close();
      expect(faults).toEqual([]);
      const { losses, size, evaluated } = told;
      expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) - 0.05);
      expect(evaluated).toBeLessThan(losses[0] ?? 0);
      // Names, types and shapes of results as ONNX Runtime gave them.
      expect(told).toMatchObject({
        shape: [
          ['onnx::loss::2', true, 'float32', [], 'Float32Array'],
          ['logits', true, 'float32', [16, 10], 'Float32Array'],
        ],
        lossName: 'onnx::loss::2',
        evalNames: [
          ['image', 'labels'],
          ['onnx::loss::2', 'logits'],
        ],
        parameters: [true, 'float32', [size], size, 'cpu'],
        again: evaluated,
        after: expect.stringMatching(/released/),
      });
    });
  },
);
