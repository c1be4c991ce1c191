import { describe, expect, test } from 'vitest';
import { trainingOps } from '../../packages/core/src/graph/dialect.js';
import { compare } from '../support/compare.js';
import { runLowered } from '../support/lowering.js';
import { loweringFamilies, named } from './lowering/index.js';
import { unknownVariants } from './lowering/recurrent.js';

describe.each(Object.entries(loweringFamilies))('the lowering of %s', (_, cases) => {
  test.each(named(cases))('%s', (_, given) => compare(given));
});

test.each(unknownVariants)('a recurrent op with %s is refused', async (what, given) => {
  await expect(runLowered(given)).rejects.toThrow(what);
});

test('no training op goes unchecked', () => {
  const checked = Object.values(loweringFamilies).flatMap((cases) =>
    cases.map(({ opType }) => opType),
  );
  expect(trainingOps.filter((opType) => !checked.includes(opType))).toEqual([]);
});
