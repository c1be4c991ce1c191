import { writeFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { type Contender, interleave, type Schedule } from '../rounds.js';
import type { Ratio, Section } from '../suite.js';
import type { Workload } from '../workloads.js';
import type { BenchBrowser } from './open-browser.js';

/** Contenders of one provider; ours is the first. */
export interface Match {
  readonly name: string;
  readonly ours: string;
  readonly others: readonly string[];
  /** What `ours` has to be ahead of, and how far. */
  readonly wanted: readonly { readonly who: 'TensorFlow.js' | 'jax-js'; readonly times?: number }[];
}

export const onProcessor: Match = {
  name: 'wasm',
  ours: 'gradware wasm',
  others: [
    'gradware wasm, one step per run',
    'gradware wasm in the webgpu build',
    'TensorFlow.js wasm',
    'TensorFlow.js cpu',
    'TensorFlow.js webgl',
    'jax-js wasm',
  ],
  wanted: [
    { who: 'TensorFlow.js', times: 3 },
    { who: 'jax-js', times: 1.5 },
  ],
};

export const onGpu: Match = {
  name: 'webgpu',
  ours: 'gradware webgpu',
  others: ['TensorFlow.js webgpu', 'TensorFlow.js webgl', 'jax-js webgpu'],
  wanted: [{ who: 'TensorFlow.js' }, { who: 'jax-js' }],
};

export interface BrowserSection extends Section {
  /** Contenders that cannot train this model, and why. */
  readonly absent: ReadonlyMap<string, string>;
  /** What a step sends to the GPU, shaders or drawings, by contender. */
  readonly dispatches: ReadonlyMap<string, number>;
}

interface Opened {
  readonly page: Page;
  readonly contender: Contender;
}

/** A contender that takes longer than this for one step only holds the others up; in milliseconds. */
const slowest = 5000;
/** As long as a turn may take, in milliseconds: who is slow makes fewer steps. */
const longestTurn = 1500;
/** As long as a contender may take to get ready, in milliseconds. */
const patience = 60_000;

function within<T>(work: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`not ready after ${patience / 1000} s`)), patience).unref();
  });
  return Promise.race([work, late]);
}

const reason = (error: unknown) =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0]?.slice(0, 160) ?? '';

/** Opens everybody who can train this model, each in a page of its own, and lets them take turns. */
export async function compare(
  browser: BenchBrowser,
  workload: Workload,
  match: Match,
  schedule: Schedule,
  threads: number,
): Promise<BrowserSection> {
  const { id, shape, batch, classes } = workload;
  const model = browser.publish(`${id}.onnx`, (path) => writeFileSync(path, workload.model()));
  const task = { id, shape, batch, classes, model, threads };
  const opened = new Map<string, Opened>();
  const absent = new Map<string, string>();
  const dispatches = new Map<string, number>();
  const countOn = (page: Page) => page.evaluate('counted.dispatches') as Promise<number>;
  for (const name of [match.ours, ...match.others]) {
    const page = await browser.newPage();
    try {
      const began = performance.now();
      const given = [name, task].map((value) => JSON.stringify(value)).join(', ');
      await within(page.evaluate(`bench.open(${given})`));
      const before = await countOn(page);
      const { ms } = (await page.evaluate('bench.run(1)')) as { readonly ms: number };
      const sent = (await countOn(page)) - before;
      if (sent > 0) dispatches.set(name, sent);
      if (ms > slowest) throw new Error(`a step takes ${(ms / 1000).toFixed(1)} s`);
      opened.set(name, { page, contender: contenderOn(name, page, Math.ceil(longestTurn / ms)) });
      process.stderr.write(
        `${id}: ${name} is ready after ${Math.round(performance.now() - began)} ms\n`,
      );
    } catch (error) {
      absent.set(name, reason(error));
      await page.close();
    }
  }
  const figures = await interleave(
    [...opened.values()].map(({ contender }) => contender),
    schedule,
  );
  for (const { page } of opened.values()) await page.close();
  const median = (name: string) => figures.get(name)?.median ?? Number.NaN;
  const ratios = match.wanted.map(({ who, times }): Ratio => {
    const theirs = [...figures.keys()].filter((name) => name.startsWith(who));
    const best = theirs.sort((a, b) => median(a) - median(b))[0] ?? who;
    return {
      name: `${best} / ${match.ours}`,
      value: median(best) / median(match.ours),
      ...(times !== undefined && { bound: { kind: 'at least', limit: times } }),
    };
  });
  const title = `${workload.title}, ${match.name}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  return { title, figures, ratios, absent, dispatches };
}

/** @param most steps of one turn at most */
function contenderOn(name: string, page: Page, most: number): Contender {
  return {
    name,
    async run(steps) {
      const { ms, loss } = (await page.evaluate(`bench.run(${Math.min(steps, most)})`)) as {
        readonly ms: number;
        readonly loss: number;
      };
      if (!Number.isFinite(loss)) throw new Error(`${name} has a loss of ${loss}`);
      return ms;
    },
  };
}
