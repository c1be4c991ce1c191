import type { LoweringCase } from '../../support/compare.js';
import { activations } from './activations.js';
import { convolution } from './convolution.js';
import { indexing } from './indexing.js';
import { losses } from './losses.js';
import { normalization } from './normalization.js';
import { pooling } from './pooling.js';
import { recurrent } from './recurrent.js';
import { resize } from './resize.js';
import { accumulators, quantized, shapes } from './shapes.js';
import { forwardConvolutions, standardOps } from './standard.js';

/** All cases of lowered ops, by family: each is compared with ORT's own kernel, and makes docs/OPERATORS.md. */
export const loweringFamilies: Readonly<Record<string, readonly LoweringCase[]>> = {
  accumulators,
  activations,
  convolution,
  indexing,
  losses,
  normalization,
  pooling,
  quantized,
  recurrent,
  resize,
  shapes,
  forwardConvolutions,
  standardOps,
};

/** Cases with a name of their own each. */
export function named(
  cases: readonly LoweringCase[],
): readonly (readonly [string, LoweringCase])[] {
  return cases.map((given) => [nameOf(given), given] as const);
}

function nameOf({ opType, inputs, attributes = {}, constants = [], note }: LoweringCase): string {
  const shapes = inputs.map((input, i) => {
    if (input === undefined) return '-';
    return `${constants.includes(i) ? 'constant ' : ''}${input.type}[${input.dims}]`;
  });
  const settings = Object.entries(attributes).map(([key, value]) => `${key}=${value}`);
  return [opType, ...shapes, ...settings, ...(note ? [note] : [])].join(' ');
}
