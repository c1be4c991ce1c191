import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { launch, noChromium } from './support/chromium.js';
import {
  drawStroke,
  figure,
  openPlayground,
  pause,
  servePlayground,
  three,
  waitForAccuracy,
} from './support/playground.js';
import type { Served } from './support/serve.js';

/** The process of the GPU ends, as when a driver resets: every device in every tab is lost. */
async function crashGpu(browser: Browser): Promise<void> {
  const session = await browser.newBrowserCDPSession();
  await session.send('Browser.crashGpuProcess');
  await session.detach();
}

describe.skipIf(noChromium !== undefined)(
  `the playground on webgpu${noChromium ? `: ${noChromium}` : ''}`,
  { timeout: 600_000 },
  () => {
    let served: Served;
    let browser: Browser;
    let page: Page;
    let faults: string[];

    beforeAll(async () => {
      served = await servePlayground({ isolated: true });
    });
    afterAll(() => served?.close());
    // A browser of its own: after a crash it may refuse webgpu.
    beforeEach(async () => {
      browser = await launch({ webgpu: true });
      page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
      // Machines that run many tests are slow, above all where the GPU is software.
      page.setDefaultTimeout(100_000);
      faults = [];
      page.on('pageerror', ({ message }) => faults.push(message));
      await openPlayground(page, served.url);
      await page.getByRole('combobox', { name: 'Model' }).selectOption('mlp');
      await page.getByRole('combobox', { name: 'Provider' }).selectOption('webgpu');
      await page.locator('#runs-on', { hasText: 'Steps run on webgpu' }).waitFor();
    }, 120_000);
    afterEach(async () => {
      await browser?.close();
      expect(faults).toEqual([]);
    });

    const train = () => page.locator('.run .primary:enabled').click();

    /** On another GPU, where the browser gives one after the crash, and else without. */
    const goesOn = async () => {
      const notice = page.locator('.notice', { hasText: /GPU was lost.*back at step \d+/ });
      const [, provider = 'none'] =
        /goes on with (\w+)/.exec((await notice.textContent()) ?? '') ?? [];
      const words: Record<string, RegExp> = {
        webgpu: /on webgpu \(again, after the GPU was lost\)/,
        wasm: /on wasm, because the GPU was lost/,
      };
      await page.locator('#runs-on', { hasText: words[provider] ?? provider }).waitFor();
      expect(await page.getByRole('combobox', { name: 'Provider' }).inputValue()).toBe(provider);
    };

    test('trains, loses the GPU while it does, and trains on', async () => {
      // Looked for before it can come: a fast machine takes it away again at once.
      const hint = page.locator('.run .hint', { hasText: 'being compiled for the GPU' }).waitFor();
      await Promise.all([hint, train()]);
      await page.waitForFunction(
        'Number.parseInt(document.querySelector("#step").textContent) > 20',
        undefined,
        { timeout: 300_000, polling: 100 },
      );
      await crashGpu(browser);
      await goesOn();
      await page.locator('html[data-running="true"]').waitFor();
      await waitForAccuracy(page, 95);
      await pause(page);
    });

    test('loses the GPU while it rests, and still predicts, keeps the run and goes on', async () => {
      await train();
      await waitForAccuracy(page, 80);
      await pause(page);
      const [step, accuracy] = [await figure(page, 'step'), await figure(page, 'accuracy')];
      await crashGpu(browser);
      await drawStroke(page, three);
      await page.locator('#verdict', { hasText: /[0-9]/ }).waitFor();
      await goesOn();
      // All that was trained had come to the host when training paused.
      expect(await figure(page, 'step')).toBe(step);
      expect(await figure(page, 'accuracy')).toBe(accuracy);
      await openPlayground(page, served.url);
      await page.locator('.notice', { hasText: `Resumed at step ${step}` }).waitFor();
      await page.locator('.run .primary').click();
      await waitForAccuracy(page, 95);
      await pause(page);
    });
  },
);
