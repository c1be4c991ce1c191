import { describe, expect, test } from 'vitest';
import { checkGradient, nameOf } from '../support/check-gradients.js';
import { families } from './families.js';

describe.each(Object.entries(families))('the gradient of %s ops', (_, cases) => {
  const named = cases.map((checked) => ({ name: nameOf(checked), checked }));
  test.each(named)('$name', async ({ checked }) => {
    const { mismatches } = await checkGradient(checked);
    expect(mismatches).toEqual([]);
  });
});
