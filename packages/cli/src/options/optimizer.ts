import {
  adam,
  adamw,
  GradwareError,
  nearest,
  type Optimizer,
  type Options,
  parseSchedule,
  type Setting,
  sgd,
} from '@gradware/core';
import { parseSpec, type Spec } from './spec.js';
import { readOptions } from './values.js';

interface NamedFactory {
  (given?: Readonly<Record<string, never>>): Optimizer;
  readonly definition: { readonly name: string; readonly options: Options };
}

const factories: readonly NamedFactory[] = [adamw, adam, sgd];

export const optimizerNames: readonly string[] = factories.map(({ definition }) => definition.name);

export interface OptimizerChoice {
  readonly optimizer: Optimizer;
  readonly learningRate: Setting | undefined;
}

/** Reads `adamw:lr=1e-3,weight-decay=0.01`. The learning rate belongs to the session, not to the optimizer.
 *  @throws GradwareError INVALID_OPTION */
export function parseOptimizer(text: string): OptimizerChoice {
  const spec = parseSpec(text);
  const factory = factories.find(({ definition }) => definition.name === spec.name);
  if (factory === undefined) {
    const near = nearest(spec.name, optimizerNames);
    throw new GradwareError('INVALID_OPTION', `No optimizer is named "${spec.name}"`, {
      where: `--optimizer ${text}`,
      remedy:
        near.length > 0
          ? `Did you mean ${near.join(' or ')}?`
          : `There are ${optimizerNames.join(', ')}.`,
    });
  }
  const { learningRate, rest } = takeLearningRate(spec);
  const given = readOptions(rest, factory.definition.options);
  return { optimizer: factory(given as Readonly<Record<string, never>>), learningRate };
}

const learningRateNames = ['lr', 'learning-rate'];

function takeLearningRate(spec: Spec): { learningRate: Setting | undefined; rest: Spec } {
  const named = learningRateNames.filter((name) => spec.options.has(name));
  if (named.length > 1) refuseRate(spec, 'lr and learning-rate are the same');
  const text = spec.options.get(named[0] ?? '');
  const options = new Map([...spec.options].filter(([key]) => !learningRateNames.includes(key)));
  const rest = { ...spec, options };
  if (text === undefined) return { learningRate: undefined, rest };
  if (text === true) refuseRate(spec, 'The learning rate is given no value');
  if (text.includes('(')) return { learningRate: parseSchedule(text), rest };
  const learningRate = Number(text);
  if (!(Number.isFinite(learningRate) && learningRate >= 0))
    refuseRate(spec, `The learning rate must be a number >= 0 or a schedule, not ${text}`);
  return { learningRate, rest };
}

function refuseRate({ text }: Spec, problem: string): never {
  throw new GradwareError('INVALID_OPTION', problem, { where: `--optimizer ${text}` });
}
