import { describe, expect, test } from 'vitest';
import {
  compareWithKernel,
  type GradientCase,
  nameOf,
  relativeDistance,
} from '../support/check-gradients.js';
import { fusedForms, fusedOps, groupedAttention } from './attention-cases.js';
import { controlFlow } from './control-flow-cases.js';
import { decomposed, rare } from './further-cases.js';
import { recurrence } from './recurrent-cases.js';
import { deformable, patches, regions, sampling } from './sampling-cases.js';

const families: Readonly<Record<string, readonly GradientCase[]>> = {
  controlFlow,
  decomposed,
  deformable,
  fusedForms,
  fusedOps,
  groupedAttention,
  patches,
  rare,
  recurrence,
  regions,
  sampling,
};

describe.each(Object.entries(families))(
  "%s taken apart is what ORT's kernel computes",
  (_, cases) => {
    const named = cases.map((checked) => ({ name: nameOf(checked), checked }));
    test.each(named)('$name', async ({ checked }) => {
      const pairs = await compareWithKernel(checked);
      expect(pairs).not.toHaveLength(0);
      for (const { ours, theirs } of pairs)
        expect(relativeDistance(ours, theirs)).toBeLessThan(1e-5);
    });
  },
);
