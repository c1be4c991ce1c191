import type { Tensor } from 'onnxruntime-common';
import { GradwareError } from '../../errors.js';
import { numbersOf } from '../../onnx/convert-floats.js';
import type { Runtime } from '../../runtime/runtime.js';
import { names } from '../../step/program.js';
import type { Feeds, Rows, StepResult, StepsResult } from '../api.js';
import { formOf } from '../execution/checks.js';
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
      Number(numbersOf(name === undefined ? undefined : result.values[name])[0]);
    const loss = number(program.loss);
    const dropped = program.dropped !== undefined && number(program.dropped) !== 0;
    if (!Number.isFinite(loss) && !dropped) refuseDivergence(progress.read().step, loss, feeds);
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
    const losses = Float32Array.from(numbersOf(collected(program.loss)));
    const drops = collected(program.dropped)?.data as Uint8Array | undefined;
    const dropped = Array.from(losses, (_, i) => drops !== undefined && drops[i] !== 0);
    const bad = losses.findIndex((loss, i) => !Number.isFinite(loss) && !dropped[i]);
    if (bad >= 0) {
      progress.advance(bad);
      const [step, loss] = [progress.read().step, losses[bad] ?? Number.NaN];
      if (isRows(given)) refuseDivergence(step, loss, given.data, given.rows[bad]);
      else refuseDivergence(step, loss, given[bad]);
    }
    // A plugin that ends training leaves fewer rows than steps were asked for.
    progress.advance(losses.length);
    refuseStopped(ran, progress.read().step, losses.length - 1);
    const metrics = Object.fromEntries(
      [...program.metrics].map(([name, output]) => [
        name,
        Float32Array.from(numbersOf(collected(output))),
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
      // Types do not reach JavaScript.
      if (!Array.isArray(isRows(given) ? given.rows : given))
        throw new GradwareError('INVALID_DATA', 'The batches are no list', {
          where: 'steps',
          remedy: 'Give [batch, ...], or { data, rows: [[0, 1], ...] }.',
        });
      if (isRows(given)) checkRows(given);
      const results: StepsResult[] = [];
      const most = signal === undefined ? Infinity : mostDeaf;
      for (const chunk of chunksOfOneShape(given, most, source)) {
        signal?.throwIfAborted();
        results.push(await (loops() ? looped(chunk, signal) : oneByOne(chunk, signal)));
      }
      return joined(results);
    },
  };
}

/** Steps in one run where somebody may ask to stop: a run cannot be interrupted. */
const mostDeaf = 256;

/** Batches of one shape, and of the same branches, in a row share a run. */
function chunksOfOneShape(
  given: readonly Feeds[] | Rows,
  most: number,
  source: ModelSource,
): readonly (readonly Feeds[] | Rows)[] {
  if (isRows(given))
    return runsOf(given.rows, ({ length }) => `${length}`, most).map((rows) => ({
      ...given,
      rows,
    }));
  return runsOf(given, (batch) => formOf(batch, source), most);
}

/** Cuts a list where the key changes, and after so many. */
function runsOf<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
  most: number,
): readonly (readonly T[])[] {
  const runs: T[][] = [];
  let last: string | undefined;
  for (const item of items) {
    const key = keyOf(item);
    const open = runs.at(-1);
    if (open !== undefined && key === last && open.length < most) open.push(item);
    else runs.push([item]);
    last = key;
  }
  return runs;
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
