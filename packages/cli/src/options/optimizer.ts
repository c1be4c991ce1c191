import {
  adam,
  adamw,
  didYouMean,
  GradwareError,
  nonNegative,
  type Optimizer,
  type Options,
  type Setting,
  setting,
  sgd,
} from '@gradware/core';
import { parseSpec } from './spec.js';
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
    throw new GradwareError('INVALID_OPTION', `No optimizer is named "${spec.name}"`, {
      where: `--optimizer ${text}`,
      remedy: didYouMean(spec.name, optimizerNames),
    });
  }
  const { lr, learningRate, ...given } = readOptions(spec, {
    lr: rate,
    learningRate: rate,
    ...factory.definition.options,
  });
  if (lr !== undefined && learningRate !== undefined)
    throw new GradwareError('INVALID_OPTION', 'lr and learning-rate are the same', {
      where: `--optimizer ${text}`,
      remedy: 'Leave one out.',
    });
  return {
    optimizer: factory(given as Readonly<Record<string, never>>),
    learningRate: (lr ?? learningRate) as Setting | undefined,
  };
}

const rate = setting(nonNegative, undefined, 'learning rate');
