import { describe, expect, test } from 'vitest';
import { checkGradient, nameOf } from '../support/check-gradients.js';
import * as further from './further-cases.js';
import * as single from './gradient-cases.js';
import { recurrence } from './recurrent-cases.js';
import { resizing } from './resize-cases.js';

const families = { ...single, ...further, recurrence, resizing };

describe.each(Object.entries(families))('the gradient of %s ops', (_, cases) => {
  const named = cases.map((checked) => ({ name: nameOf(checked), checked }));
  test.each(named)('$name', async ({ checked }) => {
    const { mismatches } = await checkGradient(checked);
    expect(mismatches).toEqual([]);
  });
});
