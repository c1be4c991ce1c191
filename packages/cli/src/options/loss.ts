import { GradwareError, type Loss, losses, nearest } from '@gradware/core';
import { parseSpec } from './spec.js';
import { readOptions } from './values.js';

export const lossNames: readonly string[] = [...losses.keys()];

/** Reads `cross-entropy`, or `huber:delta=0.5`.
 *  @throws GradwareError INVALID_OPTION */
export function parseLoss(text: string): Loss {
  const spec = parseSpec(text);
  const factory = losses.get(spec.name);
  if (factory === undefined) {
    const near = nearest(spec.name, lossNames);
    throw new GradwareError('INVALID_OPTION', `No loss is named "${spec.name}"`, {
      where: `--loss ${text}`,
      remedy:
        near.length > 0
          ? `Did you mean ${near.join(' or ')}?`
          : `There are ${lossNames.join(', ')}.`,
    });
  }
  const given = readOptions(spec, factory.definition.options);
  return factory(given as Readonly<Record<string, never>>);
}
