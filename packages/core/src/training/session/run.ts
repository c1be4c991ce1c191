import type { Tensor } from 'onnxruntime-common';
import type { Feeding, Part, StepProgram } from '../../step/program.js';
import type { Feeds, Rows } from '../api.js';
import { checkFeeds, checkLabels, withSwitches } from '../execution/checks.js';
import type { Compiler } from '../execution/compiler.js';
import type { RunResult } from '../execution/executor.js';
import type { ParameterAccess } from '../execution/parameters.js';
import type { ModelSource } from '../source/source.js';
import type { ProgressKeeper } from './progress.js';
import { batchDims, isRows } from './stack.js';

interface RunParts {
  readonly source: ModelSource;
  readonly parameters: ParameterAccess;
  readonly compiler: Compiler;
  readonly progress: ProgressKeeper;
}

/** What is run on what. */
export interface RunRequest {
  readonly part: Part;
  readonly feeding: Feeding;
  /** The batches as the user gave them; none for an update, which reads gradients. */
  readonly given: readonly Feeds[] | Rows;
  /** The same under the names that the program gives them. */
  readonly feeds: Feeds;
  readonly count: number;
  readonly signal: AbortSignal | undefined;
}

export interface Ran {
  readonly program: StepProgram;
  readonly result: RunResult;
}

/** Runs programs from where the session stands; the count of steps is left to who asked. */
export type Runner = (request: RunRequest) => Promise<Ran>;

export function createRunner({ source, parameters, compiler, progress }: RunParts): Runner {
  function checkShapes(given: RunRequest['given']) {
    const shaped = batchDims(given).map(
      ([name, type, dims]) => [name, { type, dims } as Tensor] as const,
    );
    return checkFeeds(Object.fromEntries(shaped), source.inputs);
  }

  return async ({ part, feeding, given, feeds, count, signal }) => {
    parameters.demandValues();
    const inputs =
      part === 'update'
        ? []
        : withSwitches(checkShapes(given), isRows(given) ? given.data : (given[0] ?? {}), source);
    const { executor, labels } = await compiler.get(part, feeding, inputs);
    if (isRows(given)) checkLabels(labels, given.data, given.rows);
    else for (const own of given) checkLabels(labels, own);
    const { step, seed } = progress.read();
    const result = await executor.run({
      from: step,
      count,
      seed: part === 'backward' ? seedOf(seed, progress.microBatch) : seed,
      feeds,
      parameters: parameters.keys,
      signal,
    });
    return { program: executor.program, result };
  };
}

function seedOf(seed: number, microBatch: number): number {
  return (seed + Math.imul(microBatch, 0x9e3779b9)) >>> 0;
}
