import { expect, test } from 'vitest';
import { operatorsTable } from '../support/operators.js';

test('docs/OPERATORS.md is what the tests say (pnpm docs:operators makes it so)', async () => {
  await expect(operatorsTable()).toMatchFileSnapshot('../../docs/OPERATORS.md');
}, 120_000);
