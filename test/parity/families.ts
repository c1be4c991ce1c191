import type { GradientCase } from '../support/check-gradients.js';
import * as single from './gradient-cases.js';
import { recurrence } from './recurrent-cases.js';
import { resizing } from './resize-cases.js';

/** All gradient cases, by family: each is compared with finite differences, and makes docs/OPERATORS.md. */
export const families: Readonly<Record<string, readonly GradientCase[]>> = {
  ...single,
  recurrence,
  resizing,
};
