import type { Tensor } from 'onnxruntime-common';
import type { Runtime } from '../../runtime/runtime.js';
import { names } from '../../step/program.js';
import type { Feeds, Rows, StepResult, StepsResult } from '../api.js';
import type { ModelSource } from '../source/source.js';
import { refuseDivergence, refuseStopped } from './outcome.js';
import type { ProgressKeeper } from './progress.js';
import type { Runner } from './run.js';
import { checkRows, isRows, rowFeeds, stackBatches, takeRows } from './stack.js';

interface StepParts {
  readonly runtime: Runtime;
  readonly source: ModelSource;
  readonly progress: ProgressKeeper;
  readonly run: Runner;
  /** Whether several steps may be one run. */
  readonly loops: () => boolean;
}

/** Whole steps: forward, backward, chain and optimizer. */
export interface Steps {
  one(feeds: Feeds, signal: AbortSignal | undefined): Promise<StepResult>;
  many(given: readonly Feeds[] | Rows, signal: AbortSignal | undefined): Promise<StepsResult>;
}

export function createSteps({ runtime, source, progress, run, loops }: StepParts): Steps {
  async function one(feeds: Feeds, signal: AbortSignal | undefined): Promise<StepResult> {
    const ran = await run({
      part: 'step',
      feeding: 'single',
      given: [feeds],
      feeds,
      count: 1,
      signal,
    });
    const { program, result } = ran;
    const number = (name: string | undefined) =>
      name === undefined ? Number.NaN : Number(result.values[name]?.data[0]);
    const loss = number(program.loss);
    const dropped = program.dropped !== undefined && number(program.dropped) !== 0;
    if (!Number.isFinite(loss) && !dropped) refuseDivergence(progress.read().step, loss);
    progress.advance(1);
    refuseStopped(ran, progress.read().step);
    const metrics: Record<string, number> = { ...result.hostMetrics };
    for (const [name, output] of program.metrics) metrics[name] = number(output);
    const outputs = Object.fromEntries(
      program.outputs.map((name, i) => [
        source.outputNames[i + 1] ?? name,
        result.values[name] as Tensor,
      ]),
    );
    return { loss, metrics, dropped, outputs };
  }

  async function looped(
    given: readonly Feeds[] | Rows,
    signal: AbortSignal | undefined,
  ): Promise<StepsResult> {
    const ran = await run({
      part: 'step',
      given,
      signal,
      ...(isRows(given)
        ? { feeding: 'rows', feeds: rowFeeds(runtime, given), count: given.rows.length }
        : { feeding: 'batches', feeds: stackBatches(runtime, given), count: given.length }),
    });
    const { program, result } = ran;
    const collected = (name: string | undefined) =>
      name === undefined ? undefined : (result.values[names.collected(name)] as Tensor);
    const losses = Float32Array.from(collected(program.loss)?.data as Float32Array);
    const drops = collected(program.dropped)?.data as Uint8Array | undefined;
    const dropped = Array.from(losses, (_, i) => drops !== undefined && drops[i] !== 0);
    const bad = losses.findIndex((loss, i) => !Number.isFinite(loss) && !dropped[i]);
    if (bad >= 0) {
      progress.advance(bad);
      refuseDivergence(progress.read().step, losses[bad] ?? Number.NaN);
    }
    // A plugin that ends training leaves fewer rows than steps were asked for.
    progress.advance(losses.length);
    refuseStopped(ran, progress.read().step, losses.length - 1);
    const metrics = Object.fromEntries(
      [...program.metrics].map(([name, output]) => [
        name,
        Float32Array.from(collected(output)?.data as Float32Array),
      ]),
    );
    return { losses, metrics, dropped };
  }

  async function oneByOne(
    given: readonly Feeds[] | Rows,
    signal: AbortSignal | undefined,
  ): Promise<StepsResult> {
    const results: StepResult[] = [];
    for (let k = 0; k < (isRows(given) ? given.rows : given).length; k++) {
      signal?.throwIfAborted();
      const batch = isRows(given)
        ? takeRows(runtime, given.data, given.rows[k] ?? [])
        : (given[k] as Feeds);
      results.push(await one(batch, signal));
    }
    const keys = Object.keys(results[0]?.metrics ?? {});
    return {
      losses: Float32Array.from(results, ({ loss }) => loss),
      metrics: Object.fromEntries(
        keys.map((key) => [
          key,
          Float32Array.from(results, ({ metrics }) => metrics[key] ?? Number.NaN),
        ]),
      ),
      dropped: results.map((result) => result.dropped),
    };
  }

  return {
    one,
    async many(given, signal) {
      if (isRows(given)) checkRows(given);
      const results: StepsResult[] = [];
      for (const chunk of isRows(given) ? [given] : chunksOfOneShape(given)) {
        signal?.throwIfAborted();
        results.push(await (loops() ? looped(chunk, signal) : oneByOne(chunk, signal)));
      }
      return joined(results);
    },
  };
}

/** Batches of one shape in a row share a run. */
function chunksOfOneShape(batches: readonly Feeds[]): readonly (readonly Feeds[])[] {
  const chunks: Feeds[][] = [];
  let last = '';
  for (const batch of batches) {
    const shape = Object.entries(batch)
      .map(([name, { type, dims }]) => `${name} ${type}[${dims}]`)
      .join();
    if (shape === last) chunks.at(-1)?.push(batch);
    else chunks.push([batch]);
    last = shape;
  }
  return chunks;
}

function joined(results: readonly StepsResult[]): StepsResult {
  const [only, second] = results;
  if (only !== undefined && second === undefined) return only;
  const flat = (arrays: readonly (Float32Array | undefined)[]) =>
    Float32Array.from(arrays.flatMap((array) => Array.from(array ?? [])));
  const keys = Object.keys(only?.metrics ?? {});
  return {
    losses: flat(results.map(({ losses }) => losses)),
    metrics: Object.fromEntries(
      keys.map((key) => [key, flat(results.map(({ metrics }) => metrics[key]))]),
    ),
    dropped: results.flatMap(({ dropped }) => dropped),
  };
}
