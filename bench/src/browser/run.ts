import { cpus } from 'node:os';
import type { Schedule } from '../rounds.js';
import { cnn, mlp } from '../workloads.js';
import { openBrowser } from './open-browser.js';
import { markdownOf } from './report.js';
import { type BrowserSection, compare, onGpu, onProcessor } from './suite.js';

/** On a GPU that is emulated on the processor a step takes a hundred times as long. */
const fewer = { rounds: 5, steps: 4, warmup: 1 } as const;

/** Steps in a headless Chromium, beside TensorFlow.js and jax-js.
 *  @returns Markdown
 *  @throws an Error where there is no Chromium */
export async function browserBenchmark(
  schedule: Schedule,
  threads: number,
  { processor, gpu }: { readonly processor: boolean; readonly gpu: boolean },
): Promise<string> {
  const browser = await openBrowser();
  if (typeof browser === 'string') throw new Error(browser);
  try {
    const sections: BrowserSection[] = [];
    for (const workload of processor ? [mlp, cnn] : [])
      sections.push(await compare(browser, workload, onProcessor, schedule, threads));
    for (const workload of gpu ? [mlp, cnn] : [])
      sections.push(await compare(browser, workload, onGpu, { ...schedule, ...fewer }, threads));
    const environment = `Chromium ${browser.version}, headless; ${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores`;
    return markdownOf({ environment, sections });
  } finally {
    await browser.close();
  }
}
