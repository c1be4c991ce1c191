import type { InferenceSession } from 'onnxruntime-common';
import { GradwareError } from '../../errors.js';
import { didYouMean } from '../../options/nearest.js';
import type { GradientPlugin } from '../../plugins/plugin.js';
import type { Setting } from '../../schedules/schedule.js';
import type { TrainingOptions } from '../api.js';

type RuntimeOption = Exclude<keyof InferenceSession.SessionOptions, 'executionProviders'>;

const known: Readonly<Record<Exclude<keyof TrainingOptions, RuntimeOption>, true>> = {
  executionProviders: true,
  plugins: true,
  optimizer: true,
  learningRate: true,
  groups: true,
  mixedPrecision: true,
  loss: true,
  lossInputNames: true,
  requiresGrad: true,
  frozenParams: true,
  batchNorm: true,
  straightThrough: true,
  additionalOutputNames: true,
  seed: true,
  metrics: true,
  session: true,
  signal: true,
};

/** What onnxruntime-web/training took at this place, for ONNX Runtime itself. */
const ofRuntime: Readonly<Record<RuntimeOption, true>> = {
  intraOpNumThreads: true,
  interOpNumThreads: true,
  freeDimensionOverrides: true,
  graphOptimizationLevel: true,
  enableCpuMemArena: true,
  enableMemPattern: true,
  executionMode: true,
  optimizedModelFilePath: true,
  enableProfiling: true,
  profileFilePrefix: true,
  logId: true,
  logSeverityLevel: true,
  logVerbosityLevel: true,
  preferredOutputLocation: true,
  enableGraphCapture: true,
  extra: true,
  externalData: true,
};

function refuse(problem: string, remedy: string): never {
  throw new GradwareError('INVALID_OPTION', problem, { where: 'TrainingSession.create', remedy });
}

/** Types do not reach JavaScript: a misspelt option must not be one that is silently not there.
 *  @throws GradwareError INVALID_OPTION */
export function checkTrainingOptions(options: TrainingOptions): void {
  for (const key of Object.keys(options)) {
    if (Object.hasOwn(known, key) || Object.hasOwn(ofRuntime, key)) continue;
    const names = Object.keys(known);
    refuse(
      `There is no option "${key}"`,
      didYouMean(key, [...names, ...Object.keys(ofRuntime)], `There are ${names.join(', ')}.`),
    );
  }
  const { seed = 0, learningRate, mixedPrecision } = options;
  for (const key of Object.keys(lists) as readonly ListOption[]) checkList(key, options[key]);
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
    refuse(`The seed must be a whole number from 0 to 2^32 - 1, not ${seed}`, 'Give another.');
  if (mixedPrecision !== undefined) checkMixedPrecision(mixedPrecision);
  if (learningRate !== undefined) checkLearningRate(learningRate);
}

type ListOption =
  | 'executionProviders'
  | 'plugins'
  | 'groups'
  | 'requiresGrad'
  | 'frozenParams'
  | 'lossInputNames'
  | 'straightThrough'
  | 'additionalOutputNames';

/** Options that take several, and what one of them looks like. */
const lists: Readonly<Record<ListOption, string>> = {
  executionProviders: "'cpu'",
  plugins: 'normClip()',
  groups: "{ name: 'head', match: 'head.*' }",
  requiresGrad: "'head.*'",
  frozenParams: "'stem.*'",
  lossInputNames: "'scores'",
  straightThrough: "'Round'",
  additionalOutputNames: "'scores'",
};

function checkList(key: ListOption, value: unknown): void {
  if (value === undefined || Array.isArray(value)) return;
  refuse(`${key} must be a list, not ${show(value)}`, `Give ${key}: [${lists[key]}].`);
}

/** Optimizers come from options, groups, containers and foreign packages.
 *  @throws GradwareError INVALID_OPTION for what is none */
export function checkOptimizer(optimizer: unknown, where = 'TrainingSession.create'): void {
  if (isObject(optimizer) && typeof optimizer.update === 'function') return;
  throw new GradwareError(
    'INVALID_OPTION',
    typeof optimizer === 'function'
      ? 'The optimizer given makes optimizers, and is none'
      : `The optimizer is ${show(optimizer)}`,
    {
      where,
      remedy:
        'Call a factory: optimizer: adamw({ weightDecay: 0.01 }), with adamw, adam or sgd from @gradware/core.',
    },
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** A value as it was written. */
function show(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (isObject(value)) return 'an object of another kind';
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/** Without a scaled loss, most gradients of float16 are zero. */
function checkMixedPrecision(plugin: unknown): void {
  const scales =
    typeof plugin === 'object' && plugin !== null && 'seed' in plugin && plugin.seed !== undefined;
  if (!scales)
    refuse(
      'mixedPrecision takes the plugin that scales the loss',
      'Give mixedPrecision: lossScale(), with lossScale from @gradware/plugin-loss-scale.',
    );
}

/** Options for ONNX Runtime, whichever of the two places they stand at. */
export function sessionOptionsOf(options: TrainingOptions): InferenceSession.SessionOptions {
  const direct = Object.entries(options).filter(([key]) => Object.hasOwn(ofRuntime, key));
  return { ...Object.fromEntries(direct), ...options.session };
}

/** Plugins come from options, containers and foreign packages.
 *  @throws GradwareError INVALID_OPTION for what cannot stand in a chain */
export function checkPlugins(plugins: readonly GradientPlugin[]): void {
  plugins.forEach((plugin: unknown, i) => {
    const place = `Number ${i + 1} in the chain`;
    if (typeof plugin === 'function')
      refuse(`${place} makes plugins, and is none`, 'Call it: plugins: [normClip({ ... })].');
    const named = typeof plugin === 'object' && plugin !== null && 'name' in plugin;
    if (!named || typeof plugin.name !== 'string' || plugin.name === '')
      refuse(
        `${place} is no plugin: it has no name`,
        'Give what a factory from definePlugin makes, or an object with a name and hooks.',
      );
  });
}

/** @throws GradwareError INVALID_OPTION */
function checkLearningRate(rate: Setting): void {
  const valid =
    typeof rate === 'function' || (typeof rate === 'number' && rate >= 0 && rate < Infinity);
  if (!valid)
    refuse(
      `The learning rate must be a number >= 0 or a schedule, not ${show(rate)}`,
      'Give a number such as 1e-3, or a function of the step.',
    );
}
