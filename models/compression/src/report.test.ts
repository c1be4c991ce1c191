import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { methods } from './methods.js';
import { markdown, summary } from './report.js';

const method = { name: 'half', chain: () => [], claim: 'a claim' };
const runs = [
  { accuracy: 0.9, bytes: 500 },
  { accuracy: 0.92, bytes: 500 },
  { accuracy: 0.94, bytes: 2000 },
];

test('a line has mean and deviation, and bytes beside those of the first', () => {
  expect(summary({ method, runs }, 4000)).toEqual(['half', '0.9200 ± 0.0200', '1,000', '4.0']);
});

test('the table has a row for each compressor', () => {
  const lines = markdown([{ method, runs }], 3).split('\n');
  expect(lines).toContain('| half | 0.9200 ± 0.0200 | 1,000 | 0.5 | a claim |');
});

test('the written table has the rows of today', () => {
  const written = readFileSync(new URL('../../../docs/COMPRESSION.md', import.meta.url), 'utf8');
  const names = [...written.matchAll(/^\| (.+?) \|/gm)].map((match) => match[1]).slice(2);
  expect(names).toEqual(methods.map(({ name }) => name));
});
