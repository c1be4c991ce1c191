import picomatch from 'picomatch';
import { GradwareError, refuseAborted } from '../errors.js';
import { byteLength } from '../onnx/element-types.js';
import { adamw } from '../optimizers/adamw.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import type { ParameterInfo } from '../plugins/match.js';
import type { GradientPlugin } from '../plugins/plugin.js';
import type { Runtime } from '../runtime/runtime.js';
import { createShapeOracle } from '../runtime/shape-oracle.js';
import type { Setting } from '../schedules/schedule.js';
import type { TrainingOptions, TrainingSession } from './api.js';
import { type OpenDevice, openDevice } from './execution/device.js';
import { planTraining, stateByGroup } from './execution/groups.js';
import {
  checkOptimizer,
  checkPlugins,
  checkTrainingOptions,
  sessionOptionsOf,
} from './session/check-options.js';
import { optimizerTensors } from './session/checkpointing.js';
import { createSession } from './session/session.js';
import { loadSource, type Trainable } from './source/load.js';
import type { ModelSource } from './source/source.js';

/** What the container has registered: it stands behind what the options say. */
export interface Registered {
  readonly runtime: Runtime;
  readonly plugins: readonly GradientPlugin[];
  readonly optimizer: Optimizer | undefined;
  readonly schedule: Setting | undefined;
  readonly warn: (message: string) => void;
}

/** Loads a model, lays out the chain and opens a session.
 *  @throws GradwareError for anything that cannot work, before anything is trained */
export async function createTrainingSession(
  given: Trainable,
  options: TrainingOptions,
  registered: Registered,
): Promise<TrainingSession> {
  const { runtime } = registered;
  const { seed = 0, signal } = options;
  checkTrainingOptions(options);
  refuseAborted(signal);
  const source = await loadSource(runtime.files, given, options, createShapeOracle(runtime));
  requireMemory(runtime, source);
  // An empty list leaves the choice, as in ONNX Runtime.
  const wanted = options.executionProviders?.length
    ? options.executionProviders
    : [runtime.defaultProvider];
  const sessionOptions = sessionOptionsOf(options);
  const { mixedPrecision } = options;
  const arithmetic = mixedPrecision === undefined ? 'float32' : 'float16';
  const reopen = () => openDevice(runtime, wanted, arithmetic, sessionOptions);
  const device = await reopen();
  requireLimits(device, source);
  const optimizer = options.optimizer ?? registered.optimizer ?? source.optimizer ?? adamw();
  const plugins = [
    ...(mixedPrecision ? [mixedPrecision] : []),
    ...registered.plugins,
    ...(options.plugins ?? []),
  ];
  checkPlugins(plugins);
  checkOptimizer(optimizer);
  for (const group of options.groups ?? [])
    if (group.optimizer !== undefined) checkOptimizer(group.optimizer, `group ${group.name}`);
  const plan = planTraining(trainableOf(source), plugins, optimizer, options.groups);
  const warnings = [
    ...source.warnings,
    ...plan.warnings,
    ...device.execution.refused.map((reason) => `A provider does not work here: ${reason}`),
  ];
  for (const warning of warnings) registered.warn(warning);
  return createSession({
    runtime,
    source,
    plan,
    learningRate:
      options.learningRate ??
      registered.schedule ??
      source.defaultLearningRate ??
      optimizer.defaultLearningRate,
    device,
    reopen,
    seed,
    halfPrecision: mixedPrecision !== undefined,
    wantsMetric: metricFilter(options.metrics),
    warnings,
    initialState: stateByGroup(
      optimizerTensors(source.optimizerState),
      options.optimizer === undefined
        ? plan.groups.filter((group) => group.optimizer === optimizer)
        : [],
    ),
  });
}

export function trainableOf({ trainable, parameters }: ModelSource): readonly ParameterInfo[] {
  return trainable.map((name) => ({ name, shape: parameters.get(name)?.dims ?? [] }));
}

/** Weights, gradients, updates and two moments before and after a step. */
const copiesOfWeights = 6;

/** @throws GradwareError OUT_OF_MEMORY with the numbers, rather than a crash later */
function requireMemory(runtime: Runtime, { parameters, trainable }: ModelSource): void {
  const available = runtime.availableMemory();
  const bytes = trainable.reduce((total, name) => {
    const tensor = parameters.get(name);
    return tensor === undefined ? total : total + byteLength(tensor.type, tensor.dims);
  }, 0);
  const needed = bytes * copiesOfWeights;
  if (available === undefined || needed <= available) return;
  const gib = (count: number) => `${(count / 2 ** 30).toFixed(1)} GiB`;
  throw new GradwareError(
    'OUT_OF_MEMORY',
    `Training ${gib(bytes)} of weights takes about ${gib(needed)}, and ${gib(available)} are free`,
    { remedy: 'Freeze some of the parameters (frozenParams), or use a machine with more memory.' },
  );
}

/** @throws GradwareError UNSUPPORTED for a parameter that the device has no room for in one piece */
function requireLimits(
  { execution, limits: { largestTensor = Number.POSITIVE_INFINITY } }: OpenDevice,
  { parameters }: ModelSource,
): void {
  const mib = (count: number) => `${(count / 2 ** 20).toFixed(0)} MiB`;
  for (const [name, { type, dims }] of parameters) {
    const bytes = byteLength(type, dims);
    if (bytes <= largestTensor) continue;
    throw new GradwareError(
      'UNSUPPORTED',
      `The parameter "${name}" takes ${mib(bytes)}, and ${execution.provider} has room for ${mib(largestTensor)} in one piece`,
      { remedy: 'Train on another provider (wasm, cpu), or with a smaller model.' },
    );
  }
}

function metricFilter(wanted: TrainingOptions['metrics']): (name: string) => boolean {
  if (wanted === undefined || wanted === true) return () => true;
  if (wanted === false) return () => false;
  const matches = picomatch([...wanted], { bash: true, dot: true });
  return (name) => matches(name);
}
