import { attentions } from './attention.js';
import { compression } from './compression.js';
import { controlFlow } from './control-flow.js';
import { deformable } from './deformable.js';
import { determinants } from './determinant.js';
import { fusedForms } from './fused.js';
import { groupQueries } from './group-query.js';
import type { RareForms } from './index.js';
import { patches } from './patches.js';
import { regionPools } from './region-pool.js';
import { regions } from './regions.js';
import { rotary } from './rotary.js';
import { sampling } from './sampling.js';
import { spectrogram } from './spectrogram.js';

export const rareForms: RareForms = {
  ...attentions,
  ...compression,
  ...controlFlow,
  ...deformable,
  ...determinants,
  ...fusedForms,
  ...groupQueries,
  ...patches,
  ...regionPools,
  ...regions,
  ...rotary,
  ...sampling,
  ...spectrogram,
};
