import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { losses } from '../../packages/core/src/index.js';

const text = readFileSync(new URL('../../docs/LOSSES.md', import.meta.url), 'utf8');

test.each([...losses])('docs/LOSSES.md has a row for %s, with its options', (name, loss) => {
  const row = text.split('\n').find((line) => line.startsWith(`| \`${name}\` |`));
  const documented = [...(row?.split('|').at(-2) ?? '').matchAll(/`(\w+)`/g)].map(([, key]) => key);
  expect(documented).toEqual(Object.keys(loss.definition.options));
});
