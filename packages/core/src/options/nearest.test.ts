import { expect, test } from 'vitest';
import { didYouMean, nearest } from './nearest.js';

const names = ['bias', 'bits', 'maxNorm', 'minRank'];

test.each([
  ['maxnorm', ['maxNorm']],
  ['bit', ['bits', 'bias']],
  ['Rank', ['minRank']],
  ['learningRate', []],
])('%s is near to %j', (given, wanted) => {
  expect(nearest(given, names)).toEqual(wanted);
});

test('a * of a glob stands for any letters', () => {
  const parameters = ['conv1.weight', 'conv1.bias', 'fc.weight', 'encoder.layers.0.attention.bias'];
  expect(nearest('con1.*', parameters)).toEqual(['conv1.weight', 'conv1.bias']);
  expect(nearest('*.wieght', parameters)).toEqual(['conv1.weight', 'fc.weight']);
  expect(nearest('encoder.*.atention.bias', parameters)).toEqual([
    'encoder.layers.0.attention.bias',
  ]);
  expect(nearest('stem.*', parameters)).toEqual([]);
});

test.each([
  ['bit', undefined, 'Did you mean bits or bias?'],
  ['maxnorm', 'Leave it out.', 'Did you mean maxNorm?'],
  ['learningRate', undefined, 'There are bias, bits, maxNorm, minRank.'],
  ['learningRate', 'Leave it out.', 'Leave it out.'],
])('the remedy for %s, and otherwise %s, is: %s', (given, otherwise, remedy) => {
  expect(didYouMean(given, new Set(names).values(), otherwise)).toBe(remedy);
});

test('where there is nothing to choose from, the remedy says so', () => {
  expect(didYouMean('bits', [])).toBe('There are none.');
});
