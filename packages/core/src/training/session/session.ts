import type { Tensor } from 'onnxruntime-common';
import type { Property } from '../../artifacts/ort-checkpoint.js';
import { GradwareError } from '../../errors.js';
import { nonNegative } from '../../options/options.js';
import type { GradientPlugin } from '../../plugins/plugin.js';
import type { LiveSettings } from '../../plugins/registry.js';
import type { Runtime } from '../../runtime/runtime.js';
import { fromTensor, toTensor } from '../../runtime/tensors.js';
import { valueAt } from '../../schedules/schedule.js';
import { names, type Part, type StepProgram } from '../../step/program.js';
import type { Feeds, Rows, StepResult, StepsResult, TrainingSession } from '../api.js';
import { checkFeeds, checkLabels } from '../execution/checks.js';
import { createCompiler } from '../execution/compiler.js';
import { createEvaluation } from '../execution/eval-model.js';
import type { RunResult } from '../execution/executor.js';
import { parameterAccess } from '../execution/parameters.js';
import type { SessionParts } from '../execution/session-parts.js';
import { createStateStore } from '../execution/state-store.js';
import { type CheckpointProgress, checkpointing } from './checkpointing.js';
import { fetched, readFetches } from './fetches.js';
import { createLifeline } from './lifeline.js';
import { createQueue, throughGuard } from './queue.js';
import { createSettings } from './settings.js';
import { batchDims, checkRows, isRows, rowFeeds, stackBatches, takeRows } from './stack.js';
import { weightAccess } from './weights.js';

interface Ran {
  readonly program: StepProgram;
  readonly result: RunResult;
}

/** A session over a model that is loaded and a chain that is laid out. */
export function createSession(parts: SessionParts): TrainingSession {
  const { runtime, source, plan } = parts;
  let { device } = parts;
  const current = () => device;
  const live: LiveSettings = new Map([
    ['learningRate', { setting: parts.learningRate, kind: nonNegative }],
  ]);
  const store = createStateStore(runtime, () => device.transfer);
  const queue = createQueue();
  const parameters = parameterAccess(runtime, source, store);
  const compiler = createCompiler({ ...parts, store, live, current });
  const evaluation = createEvaluation(runtime, source, parameters, {
    device: current,
    toDevice: store.toDevice,
  });
  const settings = createSettings(live, plan);
  let step = 0;
  let seed = parts.seed;
  let accumulating = false;
  /** Calls of runTrainStep since the last step: each draws numbers of its own, the first those of `step`. */
  let microBatch = 0;
  let metadata: Readonly<Record<string, string>> = {};
  let properties: Readonly<Record<string, Property>> = Object.fromEntries(source.properties ?? []);
  const progress: CheckpointProgress = {
    read: () => ({ step, seed, metadata, properties }),
    write: (next) => {
      ({ step, seed, metadata, properties } = next);
      accumulating = false;
      microBatch = 0;
    },
  };
  store.restore(parts.initialState);
  parameters.initialise();
  const lifeline = createLifeline({
    device: current,
    store,
    progress,
    reopen: async () => {
      device = await parts.reopen();
    },
    abandon: async () => {
      await Promise.allSettled([compiler.release(), evaluation.release()]);
    },
  });
  const onDevice = throughGuard(queue, lifeline.guard);
  /** For what works with state on the host. */
  const onHost = throughGuard(onDevice, async (task) => {
    await store.toHost();
    const result = await task();
    lifeline.note();
    return result;
  });

  /** Where the host must look in between, every step is a run of its own. */
  const loops = () =>
    device.execution.provider !== 'webgpu' &&
    [plan.chain, ...plan.groups.map(({ chain }) => chain)].every(({ plugins }) =>
      plugins.every((plugin) => !worksOnHost(plugin)),
    );

  async function run(
    part: Part,
    given: readonly Feeds[] | Rows,
    feeding: StepProgram['feeding'],
    feeds: Feeds,
    count: number,
    signal: AbortSignal | undefined,
  ): Promise<Ran> {
    parameters.demandValues();
    const inputs = part === 'update' ? [] : checkShapes(given);
    const compiled = await compiler.get(part, feeding, inputs);
    if (isRows(given)) checkLabels(compiled.labels, given.data, given.rows);
    else for (const own of given) checkLabels(compiled.labels, own);
    const result = await compiled.executor.run({
      from: step,
      count,
      seed: part === 'backward' ? (seed + Math.imul(microBatch, 0x9e3779b9)) >>> 0 : seed,
      feeds,
      parameters: parameters.keys,
      signal,
    });
    return { program: compiled.executor.program, result };
  }

  function checkShapes(given: readonly Feeds[] | Rows) {
    const shaped = batchDims(given).map(
      ([name, type, dims]) => [name, { type, dims } as Tensor] as const,
    );
    return checkFeeds(Object.fromEntries(shaped), source.inputs);
  }

  function refuseDivergence(at: number, loss: number): never {
    throw new GradwareError('NONFINITE_LOSS', `The loss is ${loss} at step ${at}`, {
      remedy:
        'Parameters are as they were before this step. Lower the learning rate, clip the gradients (norm-clip), or look at the data of this step.',
    });
  }

  /** Ends training where a plugin asked for it; `step` is already past the step that did. */
  function refuseStopped({ program, result }: Ran, turn = 0): void {
    const { values } = result;
    const stop = program.stops.find(({ name }) => {
      const tensor = values[program.feeding === 'single' ? name : names.collected(name)];
      return Boolean(tensor?.data[turn]);
    });
    if (stop === undefined) return;
    throw new GradwareError('STOPPED', `Training ends after step ${step - 1}: ${stop.reason}`, {
      where: `plugin ${stop.owner}`,
      remedy: 'What was reached is in the session, and can be saved.',
    });
  }

  async function single(feeds: Feeds, signal: AbortSignal | undefined): Promise<StepResult> {
    const ran = await run('step', [feeds], 'single', feeds, 1, signal);
    const { program, result } = ran;
    const number = (name: string | undefined) =>
      name === undefined ? Number.NaN : Number(result.values[name]?.data[0]);
    const loss = number(program.loss);
    const dropped = program.dropped !== undefined && number(program.dropped) !== 0;
    if (!Number.isFinite(loss) && !dropped) refuseDivergence(step, loss);
    step += 1;
    refuseStopped(ran);
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
    count: number,
    signal: AbortSignal | undefined,
  ): Promise<StepsResult> {
    const feeding = isRows(given) ? 'rows' : 'batches';
    const feeds = isRows(given) ? rowFeeds(runtime, given) : stackBatches(runtime, given);
    const ran = await run('step', given, feeding, feeds, count, signal);
    const { program, result } = ran;
    const collected = (name: string | undefined) =>
      name === undefined ? undefined : (result.values[names.collected(name)] as Tensor);
    const losses = Float32Array.from(collected(program.loss)?.data as Float32Array);
    const drops = collected(program.dropped)?.data as Uint8Array | undefined;
    const dropped = Array.from(losses, (_, i) => drops !== undefined && drops[i] !== 0);
    const bad = losses.findIndex((loss, i) => !Number.isFinite(loss) && !dropped[i]);
    if (bad >= 0) {
      step += bad;
      refuseDivergence(step, losses[bad] ?? Number.NaN);
    }
    // A plugin that ends training leaves fewer rows than steps were asked for.
    step += losses.length;
    refuseStopped(ran, losses.length - 1);
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
      results.push(await single(batch, signal));
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

  async function many(
    given: readonly Feeds[] | Rows,
    signal: AbortSignal | undefined,
  ): Promise<StepsResult> {
    if (isRows(given)) checkRows(given);
    const chunks = isRows(given) ? [given] : chunksOfOneShape(given);
    const results: StepsResult[] = [];
    for (const chunk of chunks) {
      signal?.throwIfAborted();
      const count = isRows(chunk) ? chunk.rows.length : chunk.length;
      results.push(await (loops() ? looped(chunk, count, signal) : oneByOne(chunk, signal)));
    }
    return joined(results);
  }

  return {
    trainingInputNames: source.inputs.map(({ name }) => name),
    trainingInputs: source.inputs,
    trainingOutputNames: source.outputNames,
    evalInputNames: source.evalInputs,
    evalOutputNames: source.evalOutputs,
    get provider() {
      return device.execution.provider;
    },
    get execution() {
      return device.execution;
    },
    warnings: parts.warnings,
    trainableNames: source.trainable,
    frozenNames: [...source.frozen, ...source.statistics],
    get stepCount() {
      return step;
    },
    get learningRate() {
      return settings.get('learningRate');
    },
    set learningRate(value) {
      settings.set('learningRate', value);
    },
    settings,
    get properties() {
      return properties;
    },
    get metadata() {
      return metadata;
    },
    step: (batch, options) => onDevice.add(() => single(batch, options?.signal), options?.signal),
    steps: (given, options) => onDevice.add(() => many(given, options?.signal), options?.signal),
    runTrainStep: async (feeds, fetches, options) => {
      const asked = readFetches(fetches, options, source.outputNames);
      const { signal } = asked;
      return onDevice.add(async () => {
        const resets = toTensor(runtime.Tensor, {
          type: 'bool',
          data: Uint8Array.of(accumulating ? 0 : 1),
          dims: [],
        });
        const { program, result } = await run(
          'backward',
          [feeds],
          'single',
          { ...feeds, [names.reset]: resets },
          1,
          signal,
        );
        accumulating = true;
        microBatch += 1;
        const wanted = [program.loss ?? '', ...program.outputs];
        const all = Object.fromEntries(
          wanted.map((name, i) => [source.outputNames[i] ?? name, result.values[name] as Tensor]),
        );
        return fetched(all, asked);
      }, signal);
    },
    runOptimizerStep: (options) =>
      onDevice.add(async () => {
        const gradients: Record<string, Tensor> = {};
        for (const key of source.trainable.map((name) => `gradient/${name}`)) {
          const tensor = store.feed(key);
          if (tensor === undefined)
            throw new GradwareError('INVALID_OPTION', 'There are no gradients yet', {
              remedy: 'Call runTrainStep first.',
            });
          gradients[key] = tensor;
        }
        const ran = await run('update', [], 'single', gradients, 1, options?.signal);
        step += 1;
        microBatch = 0;
        refuseStopped(ran);
      }, options?.signal),
    runEvalStep: async (feeds, fetches, options) => {
      const asked = readFetches(fetches, options, source.evalOutputs);
      return onDevice.add(async () => {
        parameters.demandValues();
        return fetched(await evaluation.run(feeds), asked);
      }, asked.signal);
    },
    lazyResetGrad: () =>
      queue.add(async () => {
        accumulating = false;
      }),
    gradients: () =>
      onDevice.add(async () => {
        const keys = new Map(source.trainable.map((name) => [name, `gradient/${name}`]));
        const known = [...keys].filter(([, key]) => store.has(key));
        await store.toHost(known.map(([, key]) => key));
        return new Map(
          known.map(([name, key]) => [name, copyOf(runtime, store.get(key) as Tensor)] as const),
        );
      }),
    getParametersSize: async (trainableOnly = true) => parameters.size(trainableOnly),
    getContiguousParameters: (trainableOnly = true) =>
      onHost.add(async () => parameters.contiguous(trainableOnly)),
    loadParametersBuffer: (buffer, trainableOnly = true) =>
      onHost.add(async () => parameters.load(buffer, trainableOnly)),
    getParameter: (name) =>
      onDevice.add(async () => {
        await store.toHost([parameters.keys.get(name) ?? name]);
        return copyOf(runtime, parameters.get(name));
      }),
    setParameter: (name, value) => onHost.add(async () => parameters.set(name, value)),
    exportModel: (options) => onHost.add(async () => evaluation.export(options?.outputs)),
    ...weightAccess({ runtime, source, parameters, queue: onHost }),
    ...checkpointing({
      runtime,
      source,
      store,
      parameters,
      queue: onHost,
      groups: plan.groups,
      learningRate: () => valueAt(settings.get('learningRate'), step),
      progress,
    }),
    release: () =>
      queue.close(async () => {
        await compiler.release();
        await evaluation.release();
        store.clear();
        await device.transfer?.release();
      }),
  };
}

function worksOnHost({ transformHost, inside = [] }: GradientPlugin): boolean {
  return transformHost !== undefined || inside.some(worksOnHost);
}

function copyOf(runtime: Runtime, tensor: Tensor): Tensor {
  const { type, dims, data } = fromTensor(tensor);
  return toTensor(runtime.Tensor, { type, dims, data: data.slice() as typeof data });
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
