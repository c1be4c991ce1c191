import { GradwareError, nonNegative, valueAt } from '@gradware/core';
import type { TrainingSession } from '@gradware/core/node';
import { kebabCase } from '../options/values.js';

/** Follows every schedule through the steps of a run: one that leaves what its option may be shows before training.
 *  @throws GradwareError INVALID_OPTION naming option, step and value */
export function checkSchedules(
  { settings, stepCount }: Pick<TrainingSession, 'settings' | 'stepCount'>,
  steps: number,
): void {
  for (const name of settings.names) {
    const setting = settings.get(name);
    if (typeof setting === 'number') continue;
    const isRate = name.split('/').at(-1) === 'learningRate';
    for (let step = stepCount; step < steps; step++) {
      const value = valueInRange(() => valueAt(setting, step), steps);
      if (isRate && !nonNegative.accepts(value))
        refuse(`The learning rate at step ${step} must be a number >= 0, not ${value}`, steps);
    }
  }
}

function valueInRange(read: () => number, steps: number): number {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof GradwareError)) throw error;
    const problem = error.problem.replace(
      /^(.+)\.(\w+)(?= at step )/,
      (_, owner: string, option: string) => `${kebabCase(option)} of ${owner}`,
    );
    refuse(problem, steps);
  }
}

function refuse(problem: string, steps: number): never {
  throw new GradwareError('INVALID_OPTION', problem, {
    remedy: `Steps count from 0, and the run has ${steps}: give a schedule that stays in range for all of them.`,
  });
}
