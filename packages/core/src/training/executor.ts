import type { InferenceSession, Tensor } from 'onnxruntime-common';
import { GradwareError } from '../errors.js';
import { tensorOf } from '../graph/constants.js';
import type { DataType } from '../onnx/ir.js';
import type { Runtime, SessionOptions } from '../runtime/runtime.js';
import { toTensor } from '../runtime/tensors.js';
import { names, type Stage, type StepProgram } from '../step/program.js';
import { visitHost } from './host.js';
import type { StateStore } from './state-store.js';

type Tensors = Record<string, Tensor>;

export interface Run {
  /** The count of steps before the first of this run. */
  readonly from: number;
  readonly count: number;
  readonly seed: number;
  /** User inputs under the names that the program gives them. */
  readonly feeds: Readonly<Tensors>;
  /** All by name; those that the program changes are taken from the store. */
  readonly parameters: ReadonlyMap<string, Tensor>;
  readonly signal: AbortSignal | undefined;
}

/** What a run gave: values by name, and what plugins on the host reported. State is already stored. */
export interface RunResult {
  readonly values: Readonly<Tensors>;
  readonly hostMetrics: Readonly<Record<string, number>>;
}

/** Runs one compiled program. */
export interface Executor {
  readonly program: StepProgram;
  run(run: Run): Promise<RunResult>;
  release(): Promise<void>;
}

export async function createExecutor(
  runtime: Runtime,
  program: StepProgram,
  options: SessionOptions,
  store: StateStore,
): Promise<Executor> {
  const sessions: InferenceSession[] = [];
  const releaseAll = async () => {
    for (const session of sessions) await session.release();
  };
  try {
    for (const stage of program.stages) sessions.push(await openStage(runtime, stage, options));
  } catch (error) {
    await releaseAll();
    throw error;
  }
  const changed = program.states.flatMap(({ key, value, next }) =>
    next === undefined ? [] : [{ key, value, next }],
  );
  const isLoop = program.feeding !== 'single';

  function feedsOf(run: Run): Tensors {
    const feeds: Tensors = { ...Object.fromEntries(run.parameters), ...run.feeds };
    for (const spec of program.states) {
      const tensor = store.demand(spec);
      feeds[spec.value.name] = tensor;
      feeds[names.initial(spec.value.name)] = tensor;
    }
    for (const { value, at } of program.scalars) {
      const numbers = Array.from({ length: run.count }, (_, i) => at(run.from + i));
      const dims = isLoop ? [run.count] : [];
      feeds[isLoop ? names.stacked(value.name) : value.name] = toTensor(
        runtime.Tensor,
        tensorOf(value.type, numbers, dims),
      );
    }
    feeds[names.seed] = scalar(runtime, 'uint32', run.seed);
    feeds[names.trips] = scalar(runtime, 'int64', run.count);
    return feeds;
  }

  return {
    program,
    async run(run) {
      const known = feedsOf(run);
      const hostMetrics: Record<string, number> = {};
      for (const [i, stage] of program.stages.entries()) {
        for (const host of stage.hosts)
          Object.assign(hostMetrics, await visitHost(runtime, program, host, known, run, store));
        Object.assign(known, await runStage(sessions[i] as InferenceSession, stage, known));
      }
      for (const { key, value, next } of changed) {
        const tensor = known[isLoop ? names.final(value.name) : next];
        if (tensor !== undefined) store.set(key, tensor);
      }
      return { values: known, hostMetrics };
    },
    release: releaseAll,
  };
}

function scalar(runtime: Runtime, type: DataType, value: number): Tensor {
  return toTensor(runtime.Tensor, tensorOf(type, [value], []));
}

async function openStage(
  runtime: Runtime,
  stage: Stage,
  options: SessionOptions,
): Promise<InferenceSession> {
  try {
    return await runtime.InferenceSession.create(stage.model, options);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GradwareError('RUNTIME', `ONNX Runtime refuses the step graph: ${reason}`, { cause });
  }
}

async function runStage(session: InferenceSession, stage: Stage, known: Tensors): Promise<Tensors> {
  const feeds: Tensors = {};
  for (const name of stage.inputs) {
    const tensor = known[name];
    if (tensor === undefined)
      throw new GradwareError('INVALID_DATA', `Nothing is fed for "${name}"`);
    feeds[name] = tensor;
  }
  try {
    return (await session.run(feeds)) as Tensors;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GradwareError('RUNTIME', `ONNX Runtime failed in a step: ${reason}`, { cause });
  }
}
