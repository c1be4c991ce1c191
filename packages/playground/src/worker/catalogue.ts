import {
  adam,
  adamw,
  commonOptions,
  type GradientPlugin,
  type Kind,
  type Optimizer,
  type Option,
  type Options,
  sgd,
} from '@gradware/core';
import { accumulate } from '@gradware/plugin-accumulate';
import { adaptiveClip } from '@gradware/plugin-adaptive-clip';
import { autoClip } from '@gradware/plugin-auto-clip';
import { cast } from '@gradware/plugin-cast';
import { centralize } from '@gradware/plugin-centralize';
import { damp } from '@gradware/plugin-damp';
import { decompose } from '@gradware/plugin-decompose';
import { elastic } from '@gradware/plugin-elastic';
import { ema } from '@gradware/plugin-ema';
import { errorFeedback } from '@gradware/plugin-error-feedback';
import { freeze } from '@gradware/plugin-freeze';
import { l1 } from '@gradware/plugin-l1';
import { l2 } from '@gradware/plugin-l2';
import { lossScale } from '@gradware/plugin-loss-scale';
import { lowRank } from '@gradware/plugin-low-rank';
import { noise } from '@gradware/plugin-noise';
import { normClip } from '@gradware/plugin-norm-clip';
import { normalize } from '@gradware/plugin-normalize';
import { qsgd } from '@gradware/plugin-qsgd';
import { quantize } from '@gradware/plugin-quantize';
import { randomK } from '@gradware/plugin-random-k';
import { rmsClip } from '@gradware/plugin-rms-clip';
import { sign } from '@gradware/plugin-sign';
import { skipNonfinite } from '@gradware/plugin-skip-nonfinite';
import { terngrad } from '@gradware/plugin-terngrad';
import { threshold } from '@gradware/plugin-threshold';
import { topK } from '@gradware/plugin-top-k';
import { valueClip } from '@gradware/plugin-value-clip';
import { weightDecay } from '@gradware/plugin-weight-decay';
import { zClip } from '@gradware/plugin-z-clip';
import type { Catalogue, OptionDescription, OptionKind, OptionValue } from '../shared/catalogue.js';

/** A factory whose options are known only as data. */
interface Factory<Made> {
  (given?: Readonly<Record<string, never>>): Made;
  readonly definition: {
    readonly name: string;
    readonly description?: string;
    readonly role?: string;
    readonly options: Options;
  };
}

const plugins: readonly Factory<GradientPlugin>[] = [
  accumulate,
  adaptiveClip,
  autoClip,
  cast,
  centralize,
  damp,
  decompose,
  elastic,
  ema,
  errorFeedback,
  freeze,
  l1,
  l2,
  lossScale,
  lowRank,
  noise,
  normClip,
  normalize,
  qsgd,
  quantize,
  randomK,
  rmsClip,
  sign,
  skipNonfinite,
  terngrad,
  threshold,
  topK,
  valueClip,
  weightDecay,
  zClip,
];

interface OptimizerFactory extends Factory<Optimizer> {
  readonly definition: Factory<Optimizer>['definition'] & { readonly defaultLearningRate: number };
}

const optimizers: readonly OptimizerFactory[] = [adamw, adam, sgd];

const byName = <F extends Factory<unknown>>(factories: readonly F[]): ReadonlyMap<string, F> =>
  new Map(factories.map((factory) => [factory.definition.name, factory]));

export const pluginFactories = byName(plugins);
export const optimizerFactories = byName(optimizers);

/** What no control could be filled with says by what it takes which control it is. */
const probes: readonly (readonly [OptionKind, unknown])[] = [
  ['boolean', true],
  ['plugin', { name: 'sign' } satisfies Partial<GradientPlugin>],
];

function kindOf(kind: Kind<unknown>): OptionKind {
  if (choicesOf(kind).length > 0) return 'choice';
  const [found] = probes.find(([, value]) => kind.accepts(value)) ?? [];
  return found ?? ([0, 0.5, 1, 2, 3].some((n) => kind.accepts(n)) ? 'number' : 'text');
}

function choicesOf({ describe, accepts }: Kind<unknown>): readonly string[] {
  const [, list] = /^one of (.+)$/.exec(describe) ?? [];
  return list?.split(', ').filter((choice) => accepts(choice) || accepts(Number(choice))) ?? [];
}

function describeOption(name: string, option: Option): OptionDescription {
  const { role, kind, fallback, help } = option;
  const plain = ['number', 'string', 'boolean'].includes(typeof fallback);
  return {
    name,
    kind: kindOf(kind),
    live: role === 'setting',
    takes: kind.describe,
    choices: choicesOf(kind),
    fallback: plain ? (fallback as OptionValue) : undefined,
    help,
  };
}

/** What every plugin can be told: which parameters, and when. */
const common = ['include', 'exclude', 'every', 'from', 'until'] as const;

const describe = ({ definition: { name, description = '', options } }: Factory<unknown>) => ({
  name,
  description,
  options: Object.entries(options).map(([key, option]) => describeOption(key, option)),
});

/** Everything that can be chosen, as plain data for the page. */
export function catalogue(): Catalogue {
  return {
    plugins: plugins.map((factory) => ({
      ...describe(factory),
      common: common.map((key) => describeOption(key, commonOptions[key])),
      role: factory.definition.role ?? 'other',
    })),
    optimizers: optimizers.map((factory) => ({
      ...describe(factory),
      learningRate: factory.definition.defaultLearningRate,
    })),
  };
}
