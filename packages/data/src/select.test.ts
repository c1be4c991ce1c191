import { expect, test } from 'vitest';
import { expand, unmatched } from './select.js';

const names = ['label', 'pixel0', 'pixel1', 'pixel2', 'a,b', 'c.d', 'c*d'];

test.each([
  ['label', ['label']],
  ['pixel2,label', ['pixel2', 'label']],
  ['pixel*', ['pixel0', 'pixel1', 'pixel2']],
  ['pixel?, label', ['pixel0', 'pixel1', 'pixel2', 'label']],
  ['pixel1..a,b', []],
  ['pixel1..pixel2', ['pixel1', 'pixel2']],
  ['pixel2,pixel*', ['pixel2', 'pixel0', 'pixel1']],
  ['a,b', ['a,b']],
  ['c.d', ['c.d']],
  ['c*d', ['c*d']],
  ['c?d', ['c.d', 'c*d']],
  ['pixel2..pixel1', []],
  ['pixel', []],
])('%s', (expression, expected) => {
  expect(expand(expression, names)).toEqual(expected);
});

test('terms that stand for nothing are named', () => {
  expect(unmatched('pixel*,lable,x..label', names)).toEqual(['lable', 'x..label']);
  expect(unmatched('a,b', names)).toEqual([]);
});
