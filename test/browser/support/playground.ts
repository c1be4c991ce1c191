import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { serve } from './serve.js';

const dist = fileURLToPath(new URL('../../../packages/playground/dist/', import.meta.url));

/** The built page, as any static host would serve it. */
export function servePlayground(options: { readonly isolated: boolean }) {
  if (!existsSync(`${dist}index.html`)) throw new Error('Build the playground first: pnpm build');
  return serve(dist, options);
}

export const figure = (page: Page, id: 'accuracy' | 'step') =>
  page
    .locator(`#${id}`)
    .textContent()
    .then((text) => Number.parseFloat((text ?? '').replace(',', '')));

/** Opens the page and waits until it can train. */
export async function openPlayground(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.locator('.run .primary:enabled').waitFor({ timeout: 60_000 });
}

/** Waits until the test accuracy (in percent) is at least this. */
export async function waitForAccuracy(page: Page, percent: number): Promise<void> {
  await page.waitForFunction(
    `Number.parseFloat(document.querySelector('#accuracy').textContent) >= ${percent}`,
    undefined,
    { timeout: 300_000, polling: 200 },
  );
}

export async function pause(page: Page): Promise<void> {
  const button = page.getByRole('button', { name: 'Pause' });
  if (await button.isVisible()) await button.click();
  await page.locator('html[data-running="false"]').waitFor({ timeout: 30_000 });
}

/** A three, as a hand would draw it, in parts of the pad's side. */
export const three: readonly (readonly [number, number])[] = [
  [0.3, 0.25],
  [0.45, 0.15],
  [0.62, 0.2],
  [0.65, 0.35],
  [0.5, 0.47],
  [0.64, 0.58],
  [0.66, 0.75],
  [0.5, 0.86],
  [0.3, 0.78],
];

export async function drawStroke(
  page: Page,
  points: readonly (readonly [number, number])[],
): Promise<void> {
  const pad = page.locator('.pad canvas');
  await pad.scrollIntoViewIfNeeded();
  const box = await pad.boundingBox();
  if (box === null) throw new Error('The pad is not shown');
  const [first, ...rest] = points.map(
    ([x, y]) => [box.x + x * box.width, box.y + y * box.height] as const,
  );
  if (first === undefined) return;
  await page.mouse.move(...first);
  await page.mouse.down();
  for (const point of rest) await page.mouse.move(...point, { steps: 6 });
  await page.mouse.up();
}
