import { nonNegative } from '../../options/options.js';
import type { GradientPlugin } from '../../plugins/plugin.js';
import type { LiveSettings } from '../../plugins/registry.js';
import { copyOf } from '../../runtime/tensors.js';
import { valueAt } from '../../schedules/schedule.js';
import type { TrainingSession } from '../api.js';
import { createCompiler } from '../execution/compiler.js';
import { createEvaluation } from '../execution/eval-model.js';
import { parameterAccess } from '../execution/parameters.js';
import type { SessionParts } from '../execution/session-parts.js';
import { createStateStore } from '../execution/state-store.js';
import { checkpointing } from './checkpointing.js';
import { fetched, readFetches } from './fetches.js';
import { createLifeline } from './lifeline.js';
import { createProgress } from './progress.js';
import { createQueue, throughGuard } from './queue.js';
import { createRunner } from './run.js';
import { createSettings } from './settings.js';
import { checkRows } from './stack.js';
import { createSteps } from './steps.js';
import { stepInHalves } from './two-halves.js';
import { weightAccess } from './weights.js';

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
  const progress = createProgress({
    seed: parts.seed,
    properties: Object.fromEntries(source.properties ?? []),
  });
  store.restore(parts.initialState);
  parameters.initialize();
  const lifeline = createLifeline({
    device: current,
    store,
    progress,
    reopen: async () => {
      device = await parts.reopen();
    },
    abandon: async () => {
      // Only with the last of its sessions ONNX Runtime lets go of a lost GPU.
      const { transfer } = device;
      await Promise.allSettled([compiler.release(), evaluation.release(), transfer?.release()]);
    },
  });
  const onDevice = throughGuard(queue, lifeline.guard);
  const besideDevice = throughGuard(queue, lifeline.guardHost);
  /** For what works with state on the host. */
  const onHost = throughGuard(besideDevice, async (task) => {
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

  const run = createRunner({ source, parameters, compiler, progress });
  const steps = createSteps({ runtime, source, progress, run, loops });

  return {
    trainingInputNames: source.inputs.map(({ name }) => name),
    trainingInputs: source.inputs,
    trainingOutputNames: source.outputNames,
    evalInputNames: source.evalInputs.map(({ name }) => name),
    evalOutputNames: source.evalOutputs,
    scoreNames: source.scoreOutputs,
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
      return progress.read().step;
    },
    get learningRate() {
      return settings.get('learningRate');
    },
    set learningRate(value) {
      settings.set('learningRate', value);
    },
    settings,
    get properties() {
      return progress.read().properties;
    },
    get metadata() {
      return progress.read().metadata;
    },
    step: (batch, options) =>
      onDevice.add(() => steps.one(batch, options?.signal), options?.signal),
    steps: (given, options) =>
      onDevice.add(() => steps.many(given, options?.signal), options?.signal),
    checkData: (data, options) =>
      queue.add(async () => {
        checkRows({ data, rows: [] });
        await evaluation.check(data, options?.batchSize);
      }, options?.signal),
    ...stepInHalves({ runtime, source, store, progress, run, queue: onDevice }),
    lazyResetGrad: () => queue.add(async () => progress.resetGradients()),
    runEvalStep: async (feeds, fetches, options) => {
      const asked = readFetches(fetches, options, source.evalOutputs);
      return onDevice.add(async () => {
        parameters.demandValues();
        return fetched(await evaluation.run(feeds), asked);
      }, asked.signal);
    },
    getParametersSize: async (trainableOnly = true) => parameters.size(trainableOnly),
    getContiguousParameters: (trainableOnly = true) =>
      onHost.add(async () => parameters.contiguous(trainableOnly)),
    loadParametersBuffer: (buffer, trainableOnly = true) =>
      onHost.add(async () => parameters.load(buffer, trainableOnly)),
    getParameter: (name) =>
      besideDevice.add(async () => {
        await store.toHost([parameters.keys.get(name) ?? name]);
        return copyOf(runtime.Tensor, parameters.get(name));
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
      learningRate: () => valueAt(settings.get('learningRate'), progress.read().step),
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
