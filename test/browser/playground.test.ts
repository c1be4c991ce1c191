import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { decodeNpz } from '@gradware/data';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

import { perceptron } from '../support/perceptron.js';
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

// Training takes a while where many tests share the processor.
vi.setConfig({ testTimeout: 360_000 });

const digits = new URL('../../models/digits/', import.meta.url);
const wide = { width: 1440, height: 900 };
const phone = { width: 390, height: 844 };

/** Where screenshots go, for people to look at; nowhere by default. */
const gallery = process.env.GRADWARE_SCREENSHOTS;

describe.skipIf(noChromium !== undefined)(
  `the playground${noChromium ? `: ${noChromium}` : ''}`,
  () => {
    let browser: Browser;
    let isolated: Served;
    let plain: Served;
    let context: BrowserContext;
    let page: Page;
    let faults: string[];

    beforeAll(async () => {
      browser = await launch();
      isolated = await servePlayground({ isolated: true });
      plain = await servePlayground({ isolated: false });
    });
    afterAll(async () => {
      await browser?.close();
      await isolated?.close();
      await plain?.close();
    });
    beforeEach(async () => {
      await use({ viewport: wide });
    });
    afterEach(async () => {
      await context.close();
      expect(faults).toEqual([]);
    });

    async function use(options: Parameters<Browser['newContext']>[0]): Promise<void> {
      await context?.close();
      context = await browser.newContext({ acceptDownloads: true, ...options });
      page = await context.newPage();
      faults = [];
      page.on('pageerror', ({ message }) => faults.push(message));
    }

    const shoot = async (name: string) => {
      if (gallery !== undefined) await page.screenshot({ path: `${gallery}/${name}.png` });
    };
    const train = () => page.locator('.run .primary').click();
    const plugins = () => page.locator('.plugin .title strong').allTextContents();
    const hasNotice = (text: RegExp) =>
      page.locator('.notice', { hasText: text }).first().waitFor({ timeout: 20_000 });

    /** Images and labels of the held-out digits. */
    const heldOut = () => decodeNpz(readFileSync(new URL('digits-test.npz', digits)));

    async function downloadModel(): Promise<Uint8Array> {
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'Model', exact: true }).click(),
      ]);
      return readFileSync(await download.path());
    }

    test('trains, predicts a drawing, and hands out a model that does the same elsewhere', async () => {
      await openPlayground(page, isolated.url);
      await page.locator('#runs-on', { hasText: /wasm.* threads?\./ }).waitFor();
      const bar = async () => (await page.locator('section.run').boundingBox())?.height;
      const height = await bar();
      await train();
      await waitForAccuracy(page, 95);
      // Numbers do not push what is below them down.
      expect(await bar()).toBe(height);
      await drawStroke(page, three);
      await page.locator('#verdict', { hasText: '3' }).waitFor({ timeout: 20_000 });
      await shoot('training-light');
      await page.getByRole('button', { name: 'Use dark colours' }).click();
      await shoot('training-dark');
      await pause(page);
      await page.waitForTimeout(500);

      // What the page says of the drawing and of the held-out digits, ONNX Runtime for Node says, too.
      const session = await InferenceSession.create(await downloadModel());
      const [input = '', output = ''] = [session.inputNames[0], session.outputNames[0]];
      const scores = async (data: Float32Array, count: number) => {
        const feeds = { [input]: new Tensor('float32', data, [count, 1, 8, 8]) };
        const { dims, data: found } = (await session.run(feeds))[output] as Tensor;
        const width = dims[1] ?? 1;
        return Array.from({ length: count }, (_, i) =>
          Array.from((found as Float32Array).subarray(i * width, (i + 1) * width)),
        );
      };
      const pixels = await page
        .locator('.seen rect')
        .evaluateAll((cells) => cells.map((cell) => Number(cell.getAttribute('opacity'))));
      const [drawn = []] = await scores(Float32Array.from(pixels), 1);
      const powers = drawn.map((score) => Math.exp(score - Math.max(...drawn)));
      const total = powers.reduce((sum, power) => sum + power, 0);
      const shown = await page.locator('.odds output').allTextContents();
      expect(powers.map((power) => `${Math.round((100 * power) / total)}`)).toEqual(shown);

      const { image, labels } = Object.fromEntries(heldOut());
      const all = await scores(image?.data as Float32Array, labels?.data.length ?? 0);
      const right = all.filter(
        (row, i) => row.indexOf(Math.max(...row)) === Number(labels?.data[i]),
      ).length;
      // The figure is of the end of an epoch; the model may be a few steps further.
      expect((100 * right) / all.length).toBeGreaterThan((await figure(page, 'accuracy')) - 2);
      await session.release();
    });

    test('goes on after a reload, where it was', async () => {
      await openPlayground(page, isolated.url);
      await train();
      await waitForAccuracy(page, 80);
      await pause(page);
      const step = await figure(page, 'step');
      const accuracy = await figure(page, 'accuracy');
      await openPlayground(page, isolated.url);
      await hasNotice(/Resumed at step/);
      expect(await figure(page, 'step')).toBe(step);
      expect(await figure(page, 'accuracy')).toBe(accuracy);
      await page.locator('.histogram svg .after.line').waitFor({ state: 'attached' });
      await train();
      await page.waitForFunction(
        `Number(document.querySelector('#step').textContent.replace(',', '')) > ${step}`,
      );
      await pause(page);
    });

    test('a save that was cut short leaves the one before it', async () => {
      await openPlayground(page, isolated.url);
      await train();
      await waitForAccuracy(page, 50);
      await pause(page);
      await page.getByRole('button', { name: 'Save now' }).click();
      await hasNotice(/Saved in this browser/);
      // What a tab leaves that is closed while it writes the newer of the two slots.
      await page.evaluate(`(async () => {
        const root = await navigator.storage.getDirectory();
        const files = [];
        for await (const handle of root.values()) files.push(await handle.getFile());
        files.sort((a, b) => b.lastModified - a.lastModified);
        const handle = await root.getFileHandle(files[0].name);
        const half = await files[0].slice(0, files[0].size / 2).arrayBuffer();
        const stream = await handle.createWritable();
        await stream.write(half);
        await stream.close();
      })()`);
      await openPlayground(page, isolated.url);
      await hasNotice(/closed while it was saving/);
      expect(await figure(page, 'step')).toBeGreaterThan(0);
    });

    test('a second tab trains, too, and says that it is not kept', async () => {
      await openPlayground(page, isolated.url);
      const second = await context.newPage();
      await openPlayground(second, isolated.url);
      await second.locator('.notice', { hasText: /Another tab/ }).waitFor({ timeout: 20_000 });
      await second.locator('.run .primary').click();
      await second.locator('html[data-running="true"]').waitFor();
      await pause(second);
    });

    test('can be used by keyboard alone', async () => {
      await openPlayground(page, isolated.url);
      const { keyboard } = page;
      await page.getByRole('button', { name: /^Move skip-nonfinite/ }).focus();
      await keyboard.press('ArrowDown');
      await expect.poll(plugins).toEqual(['norm-clip', 'skip-nonfinite']);
      // The handle keeps the focus, so that the next key moves the same plugin.
      await keyboard.press('ArrowUp');
      await expect.poll(plugins).toEqual(['skip-nonfinite', 'norm-clip']);

      await page.locator('#add-plugin').focus();
      await keyboard.press('Enter');
      await keyboard.type('value');
      await keyboard.press('Enter');
      await expect.poll(plugins).toEqual(['skip-nonfinite', 'norm-clip', 'value-clip']);
      await page.getByRole('button', { name: /^Move norm-clip/ }).focus();
      await keyboard.press('Delete');
      await expect.poll(plugins).toEqual(['skip-nonfinite', 'value-clip']);

      await page.locator('.run .primary:enabled').focus();
      await keyboard.press('Enter');
      await waitForAccuracy(page, 70);
      await page.getByRole('application').locator('canvas').focus();
      // A one: down from the top.
      await keyboard.press('ArrowUp');
      await keyboard.press('Space');
      for (let i = 0; i < 10; i++) await keyboard.press('ArrowDown');
      await keyboard.press('Space');
      await page.locator('#verdict', { hasText: /[0-9]/ }).waitFor();
      await keyboard.press('Backspace');
      await page.locator('.verdict.empty').waitFor();
      await pause(page);
      expect(await page.locator('.refused').count()).toBe(0);
    });

    test('the chain changes while it trains', async () => {
      await openPlayground(page, isolated.url);
      await page.getByRole('textbox', { name: 'Epochs' }).fill('200');
      await page.getByRole('textbox', { name: 'Epochs' }).press('Enter');
      await train();
      await waitForAccuracy(page, 50);
      const clipped = () =>
        page
          .locator('.plugin', { hasText: 'norm-clip' })
          .locator('.metrics div', { hasText: 'clipped norm' })
          .locator('dd')
          .textContent()
          .then(Number);
      // Live: no new session, and the very next steps have it.
      await page.locator('.plugin .title', { hasText: 'norm-clip' }).click();
      await page.getByRole('textbox', { name: 'max norm' }).fill('0.001');
      await page.getByRole('textbox', { name: 'max norm' }).press('Enter');
      await expect.poll(clipped, { timeout: 20_000 }).toBeLessThan(0.00101);
      // By dragging: onto the place above.
      const grip = page.getByRole('button', { name: /^Move norm-clip/ });
      const [from, to] = [
        await grip.boundingBox(),
        await page.locator('.plugin').first().boundingBox(),
      ];
      await page.mouse.move((from?.x ?? 0) + 8, (from?.y ?? 0) + 20);
      await page.mouse.down();
      await page.mouse.move((to?.x ?? 0) + 8, (to?.y ?? 0) - 10, { steps: 8 });
      await shoot('dragging');
      await page.mouse.up();
      await expect.poll(plugins).toEqual(['norm-clip', 'skip-nonfinite']);
      await page.locator('html[data-running="true"]').waitFor();
      // A plugin around another one, and a wrong option, which is refused and leaves the rest at work.
      await page.locator('#add-plugin').click();
      await page.getByRole('button', { name: /^error-feedback/ }).click();
      await expect.poll(plugins).toContain('error-feedback');
      await page.getByRole('textbox', { name: 'max norm' }).fill('-1');
      await page.getByRole('textbox', { name: 'max norm' }).press('Enter');
      await page.locator('.refused', { hasText: 'must be a number > 0' }).waitFor();
      await page.getByRole('textbox', { name: 'max norm' }).fill('1');
      await page.getByRole('textbox', { name: 'max norm' }).press('Enter');
      await page.locator('.refused').waitFor({ state: 'detached' });
      const step = await figure(page, 'step');
      await expect.poll(() => figure(page, 'step'), { timeout: 20_000 }).toBeGreaterThan(step);
      await pause(page);
    });

    test('works without isolation, with one thread, and says so', async () => {
      await openPlayground(page, plain.url);
      await page.locator('#runs-on', { hasText: /one thread, because .* isolated/ }).waitFor();
      await page.locator('.chip', { hasText: '1 thread' }).waitFor();
      expect(await page.getByRole('option', { name: /^webgpu/ }).textContent()).toMatch(
        /no WebGPU|no graphics adapter/,
      );
      await train();
      await waitForAccuracy(page, 90);
      await pause(page);
    });

    test('takes artifacts and data of one’s own, and refuses what is none', async () => {
      await openPlayground(page, isolated.url);
      const input = page.locator('input[type=file]');
      const file = (path: string) => fileURLToPath(new URL(path, digits));
      const artifacts = ['training_model.onnx', 'eval_model.onnx', 'optimizer_model.onnx'];
      await input.setInputFiles([
        ...[...artifacts, 'checkpoint'].map((name) => file(`artifacts/mlp/${name}`)),
        file('digits-train.npz'),
      ]);
      await page
        .locator('option', { hasText: 'training_model.onnx' })
        .waitFor({ state: 'attached' });
      await page.locator('.hint', { hasText: '9,610 weights, 1,150 examples' }).waitFor();
      await train();
      await waitForAccuracy(page, 80);
      await pause(page);

      for (const [name, content, complaint] of [
        ['notes.pdf', 'text', /cannot read this kind of file/],
        ['broken.onnx', 'no protobuf at all', /Not applied|not a|model/],
        ['empty.npz', '', /is empty/],
        ['broken.npz', 'PK no archive', /npz/],
      ] as const) {
        await input.setInputFiles({
          name,
          mimeType: 'application/octet-stream',
          buffer: Buffer.from(content),
        });
        await page
          .locator('.notice, .refused')
          .filter({ hasText: complaint })
          .first()
          .waitFor({ timeout: 20_000 });
      }
    });

    test('what is refused leaves list, run and its save as they were', async () => {
      await openPlayground(page, isolated.url);
      const input = page.locator('input[type=file]');
      const give = (name: string, buffer: Buffer) =>
        input.setInputFiles({ name, mimeType: 'application/octet-stream', buffer });
      const shown = (label: string) =>
        page.locator(`label:has(span:text-is("${label}")) option:checked`).textContent();
      await input.setInputFiles(fileURLToPath(new URL('mlp.onnx', digits)));
      await page.locator('.hint', { hasText: '9,610 weights' }).waitFor();
      await page.getByRole('textbox', { name: 'Epochs' }).fill('500');
      await page.getByRole('textbox', { name: 'Epochs' }).press('Enter');
      await train();
      await waitForAccuracy(page, 50);
      await give('broken.onnx', Buffer.from('no protobuf at all'));
      await hasNotice(/Not applied.*not an ONNX model/);
      expect(await shown('Model')).toBe('mlp.onnx');
      expect(await page.locator('option', { hasText: 'broken.onnx' }).count()).toBe(0);
      // It goes on training, with what it trained before.
      const step = await figure(page, 'step');
      await expect.poll(() => figure(page, 'step'), { timeout: 20_000 }).toBeGreaterThan(step);
      await pause(page);
      await page.getByRole('button', { name: 'Save now' }).click();
      await hasNotice(/Saved in this browser/);
      await openPlayground(page, isolated.url);
      await hasNotice(/Resumed at step/);
      expect(await shown('Model')).toBe('mlp.onnx');

      // Data that comes before its model waits for it.
      const rows = (scale: number) =>
        Array.from({ length: 60 }, (_, i) => `${scale * (i % 3)},${i % 3 === 1 ? 1 : 0},${i % 3}`);
      const table = (scale: number) => Buffer.from(['a,b,label', ...rows(scale)].join('\n'));
      await give('three.csv', table(1));
      await hasNotice(/Not applied/);
      await page.locator('.hint', { hasText: 'still that of mlp.onnx on UCI digits' }).waitFor();
      expect(await shown('Data')).toBe('three.csv');
      await give('small.onnx', Buffer.from(perceptron([2, 3])));
      await page.locator('.hint', { hasText: '9 weights, 48 examples' }).waitFor();
      expect(await page.locator('.refused, .hint.warning').count()).toBe(0);
      // Other data of one's own, under the same entry of the list.
      const other = Buffer.from(`${table(2)}\n0,0,0\n0,0,0\n0,0,0\n0,0,0\n0,0,0`);
      await give('more.csv', other);
      await page.locator('.hint', { hasText: '9 weights, 52 examples' }).waitFor();
      expect(await shown('Data')).toBe('more.csv');
    });

    test('fits windows of every width, with scroll bars', async () => {
      await openPlayground(page, isolated.url);
      await train();
      await waitForAccuracy(page, 20);
      await pause(page);
      const tops = (selector: string) =>
        page
          .locator(selector)
          .evaluateAll((all) => all.map((one) => one.getBoundingClientRect().top));
      // Curve, legend and figure stand in one line.
      for (const width of [1280, 1440]) {
        await page.setViewportSize({ width, height: 800 });
        const [title = 0, figure = 0] = await tops(
          '.charts > :first-child figcaption > :is(h2, output)',
        );
        expect(Math.abs(title - figure), `at ${width}`).toBeLessThan(10);
      }
      // As at a zoom of 400 %.
      await page.setViewportSize({ width: 320, height: 300 });
      for (const name of ['Setup', 'Train', 'Draw']) {
        await page.getByRole('navigation', { name: 'Views' }).getByRole('button', { name }).click();
        const over = await page.evaluate(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        );
        expect(over, name).toBeLessThanOrEqual(0);
      }
      const { position } = await page
        .locator('section.run')
        .evaluate((run) => ({ position: run.computedStyleMap().get('position')?.toString() }));
      expect(position).toBe('relative');
    });

    test('fits a phone', async () => {
      await use({ viewport: phone, isMobile: true, hasTouch: true });
      await openPlayground(page, isolated.url);
      await train();
      await waitForAccuracy(page, 90);
      await pause(page);
      const tab = (name: string) =>
        page.getByRole('navigation', { name: 'Views' }).getByRole('button', { name });
      for (const name of ['Setup', 'Train', 'Draw']) {
        await tab(name).tap();
        const width = await page.evaluate('document.documentElement.scrollWidth');
        expect(width).toBeLessThanOrEqual(phone.width);
        if (name === 'Draw') await drawStroke(page, three);
        await page.waitForTimeout(400);
        await shoot(`phone-${name.toLowerCase()}-light`);
        await page.getByRole('button', { name: /^Use/ }).tap();
        await shoot(`phone-${name.toLowerCase()}-dark`);
        await page.getByRole('button', { name: /^Use/ }).tap();
      }
      // What is wrong with a file is said where files are chosen.
      await page.locator('input[type=file]').setInputFiles({
        name: 'broken.onnx',
        mimeType: 'application/octet-stream',
        buffer: Buffer.from('no protobuf at all'),
      });
      await page.locator('.notice', { hasText: /Not applied.*not an ONNX model/ }).waitFor();
      // Controls are large enough for a finger.
      await tab('Setup').tap();
      const sizes = await page
        .locator('.setup select:visible, .setup .stepper:visible, .plugin .head:visible')
        .evaluateAll((all) => all.map((one) => one.getBoundingClientRect().height));
      expect(Math.min(...sizes)).toBeGreaterThanOrEqual(40);
    });
  },
);
