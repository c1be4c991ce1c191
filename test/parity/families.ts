import type { GradientCase } from '../support/check-gradients.js';
import {
  emptyRows,
  fusedForms,
  fusedOps,
  gpuForms,
  groupedAttention,
  laterOps,
  quantized,
  rounding,
  shortMasks,
} from './attention-cases.js';
import { controlFlow } from './control-flow-cases.js';
import * as further from './further-cases.js';
import * as single from './gradient-cases.js';
import { batchFirst, recurrence, recurrenceAsScan } from './recurrent-cases.js';
import { resizing } from './resize-cases.js';
import {
  deformable,
  frozenForms,
  patches,
  regions,
  sampling,
  turnedRegions,
} from './sampling-cases.js';

/** All gradient cases, by family: each is compared with finite differences, and makes docs/OPERATORS.md. */
export const families: Readonly<Record<string, readonly GradientCase[]>> = {
  ...single,
  ...further,
  batchFirst,
  controlFlow,
  emptyRows,
  frozenForms,
  fusedForms,
  fusedOps,
  gpuForms,
  groupedAttention,
  laterOps,
  quantized,
  rounding,
  shortMasks,
  deformable,
  patches,
  regions,
  recurrence,
  recurrenceAsScan,
  resizing,
  sampling,
  turnedRegions,
};
