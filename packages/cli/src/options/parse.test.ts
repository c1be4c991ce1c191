import { InvalidArgumentError } from 'commander';
import { expect, test } from 'vitest';
import { collectFactors, collectPairs, parseCount, parseValidation } from './parse.js';

test('counts are whole numbers in their range', () => {
  expect(parseCount(1)('64')).toBe(64);
  for (const text of ['0', '-1', '1.5', '1e3', '', 'x', '9007199254740993'])
    expect(() => parseCount(1)(text), text).toThrow(InvalidArgumentError);
});

test('pairs add up', () => {
  const once = collectPairs('image=pixel*');
  expect(collectPairs('labels = y', once)).toEqual({ image: 'pixel*', labels: 'y' });
  for (const text of ['image', '=x', 'image=']) expect(() => collectPairs(text)).toThrow();
  expect(() => collectPairs('image=z', once)).toThrow('twice');
});

test('factors may be quotients', () => {
  expect(collectFactors('image=1/16')).toEqual({ image: 0.0625 });
  expect(collectFactors('b=-2', { a: 1 })).toEqual({ a: 1, b: -2 });
  for (const text of ['image=1/0', 'image=/2', 'image=two', 'image=Infinity'])
    expect(() => collectFactors(text), text).toThrow();
});

test('validation is a fraction or a file', () => {
  expect(parseValidation('0.2')).toBe(0.2);
  expect(parseValidation('test.npz')).toBe('test.npz');
  for (const text of ['0', '1', '2', '-0.5']) expect(() => parseValidation(text), text).toThrow();
});
