import { describe, expect, test } from 'vitest';
import { compareWithOrt, nameOf, relativeDistance } from '../support/check-gradients.js';
import { families } from './families.js';
import { isRefereedByOrt } from './ort-referee.js';

const refereed = Object.entries(families)
  .map(([family, cases]) => ({
    family,
    cases: cases.filter(isRefereedByOrt).map((checked) => ({ name: nameOf(checked), checked })),
  }))
  .filter(({ cases }) => cases.length > 0);

describe.each(refereed)("ORT's own kernels for $family ops", ({ cases }) => {
  test.each(cases)('$name', async ({ checked }) => {
    const pairs = await compareWithOrt(checked);
    expect(pairs).not.toHaveLength(0);
    for (const { ours, theirs } of pairs) {
      expect(ours.dims).toEqual(theirs.dims);
      expect(relativeDistance(ours, theirs)).toBeLessThan(1e-5);
    }
  });
});
