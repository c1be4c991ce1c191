import type { InferenceSession, Tensor } from 'onnxruntime-common';
import { GradwareError } from '../../errors.js';
import { tensorOf } from '../../graph/constants.js';
import type { DataType } from '../../onnx/ir.js';
import type { Runtime, SessionOptions } from '../../runtime/runtime.js';
import { toTensor } from '../../runtime/tensors.js';
import { names, type Stage, type StepProgram } from '../../step/program.js';
import { runtimeFailure } from './failures.js';
import { visitHost } from './host.js';
import { dispose, type StateStore } from './state-store.js';

type Tensors = Record<string, Tensor>;

export interface Run {
  /** The count of steps before the first of this run. */
  readonly from: number;
  readonly count: number;
  readonly seed: number;
  /** User inputs under the names that the program gives them. */
  readonly feeds: Readonly<Tensors>;
  /** The keys of all parameters in the store, by name. */
  readonly parameters: ReadonlyMap<string, string>;
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
  const resident = residentOutputs(program, store);
  try {
    for (const stage of program.stages)
      sessions.push(await openStage(runtime, stage, options, resident));
  } catch (error) {
    await releaseAll();
    throw error;
  }
  const changed = program.states.flatMap(({ key, value, next }) =>
    next === undefined ? [] : [{ key, value, next }],
  );
  const isLoop = program.feeding !== 'single';

  async function feedsOf(run: Run): Promise<Tensors> {
    for (const spec of program.states) store.demand(spec);
    const frozen = program.frozen.flatMap(({ name }) => run.parameters.get(name) ?? []);
    await store.toDevice([...program.states.map(({ key }) => key), ...frozen]);
    const feeds: Tensors = {};
    for (const [name, key] of run.parameters) feeds[name] = store.feed(key) as Tensor;
    Object.assign(feeds, run.feeds);
    for (const { key, value } of program.states) {
      const tensor = store.feed(key) as Tensor;
      feeds[value.name] = tensor;
      feeds[names.initial(value.name)] = tensor;
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
      const known = await feedsOf(run);
      const hostMetrics: Record<string, number> = {};
      const made: Tensor[] = [];
      try {
        for (const [i, stage] of program.stages.entries()) {
          for (const host of stage.hosts)
            Object.assign(hostMetrics, await visitHost(runtime, program, host, known, run, store));
          const results = await runStage(sessions[i] as InferenceSession, stage, known);
          made.push(...Object.values(results));
          Object.assign(known, results);
        }
      } catch (error) {
        made.forEach(dispose);
        throw error;
      }
      const next = changed.flatMap(({ key, value, next }) => {
        const tensor = known[isLoop ? names.final(value.name) : next];
        return tensor === undefined ? [] : [[key, tensor] as const];
      });
      store.commit(new Map(next));
      return { values: known, hostMetrics };
    },
    release: releaseAll,
  };
}

function scalar(runtime: Runtime, type: DataType, value: number): Tensor {
  return toTensor(runtime.Tensor, tensorOf(type, [value], []));
}

/** Outputs that stay on the device: state that the host has no use for before the next step. */
function residentOutputs(program: StepProgram, store: StateStore): ReadonlySet<string> {
  if (program.feeding !== 'single') return new Set();
  const { loss, dropped, metrics, outputs, stops, stages } = program;
  const read = new Set([
    ...[loss, dropped, ...metrics.values(), ...outputs, ...stops.map(({ name }) => name)],
    ...stages.flatMap(({ hosts }) => hosts.flatMap(({ inputs }) => inputs)),
  ]);
  return new Set(
    program.states.flatMap(({ value, next }) =>
      next === undefined || read.has(next) || !store.resides(value) ? [] : [next],
    ),
  );
}

async function openStage(
  runtime: Runtime,
  stage: Stage,
  options: SessionOptions,
  resident: ReadonlySet<string>,
): Promise<InferenceSession> {
  const stays = stage.outputs.filter((name) => resident.has(name));
  const location = Object.fromEntries(stays.map((name) => [name, 'gpu-buffer' as const]));
  try {
    return await runtime.InferenceSession.create(stage.model, {
      ...options,
      ...(stays.length > 0 && { preferredOutputLocation: location }),
    });
  } catch (cause) {
    throw runtimeFailure('ONNX Runtime refuses the step graph', cause);
  }
}

async function runStage(session: InferenceSession, stage: Stage, known: Tensors): Promise<Tensors> {
  const feeds: Tensors = {};
  for (const name of stage.inputs) {
    const tensor = known[name];
    if (tensor === undefined)
      throw new GradwareError('INVALID_DATA', `Nothing is fed for "${name}"`, {
        remedy: 'Feed a Tensor under this name.',
      });
    feeds[name] = tensor;
  }
  try {
    return (await session.run(feeds)) as Tensors;
  } catch (cause) {
    throw runtimeFailure('ONNX Runtime failed in a step', cause);
  }
}
