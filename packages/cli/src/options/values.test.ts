import {
  boolean,
  constant,
  definePlugin,
  type GradientPlugin,
  integer,
  type Kind,
  oneOf,
  positive,
  setting,
} from '@gradware/core';
import { expect, test } from 'vitest';
import { parseSpec } from './spec.js';
import { camelCase, kebabCase, readOptions } from './values.js';

const texts: Kind<readonly string[]> = {
  describe: 'a list of names',
  accepts: (value): value is readonly string[] =>
    Array.isArray(value) && value.every((one) => typeof one === 'string'),
};
const range: Kind<readonly number[]> = {
  describe: 'two numbers',
  accepts: (value): value is readonly number[] =>
    Array.isArray(value) && value.length === 2 && value.every((one) => typeof one === 'number'),
};
const plugin: Kind<GradientPlugin> = {
  describe: 'a plugin',
  accepts: (value): value is GradientPlugin =>
    typeof value === 'object' && value !== null && 'name' in value,
};

const declared = {
  maxNorm: setting(positive, 1),
  bits: constant(integer(2, 16), 8),
  errorFeedback: constant(boolean, false),
  rounding: constant(oneOf('nearest', 'stochastic'), 'nearest'),
  names: constant(texts, undefined),
  range: constant(range, undefined),
  compressor: constant(plugin, undefined),
};

const read = (text: string) => readOptions(parseSpec(text), declared);

test('names are kebab-case on the command line and camelCase in code', () => {
  expect(camelCase('max-norm')).toBe('maxNorm');
  expect(kebabCase('maxNorm')).toBe('max-norm');
  expect(camelCase('beta1')).toBe('beta1');
});

test.each([
  ['x:max-norm=2.5', { maxNorm: 2.5 }],
  ['x:max-norm=1e-3', { maxNorm: 1e-3 }],
  ['x:max-norm=Infinity', { maxNorm: Number.POSITIVE_INFINITY }],
  ['x:bits=4,error-feedback=true', { bits: 4, errorFeedback: true }],
  ['x:rounding=stochastic', { rounding: 'stochastic' }],
  ['x:names=[a,b.*]', { names: ['a', 'b.*'] }],
  ['x:names=[1,2]', { names: ['1', '2'] }],
  ['x:range=[-1,inf]', { range: [-1, Number.POSITIVE_INFINITY] }],
])('reads %s as its declaration wants it', (text, options) => {
  expect(read(text)).toEqual(options);
});

test('a setting may be a schedule', () => {
  const { maxNorm } = read('x:max-norm=linear(1,0.5,10)');
  expect(typeof maxNorm === 'function' && [maxNorm(0), maxNorm(5), maxNorm(10)]).toEqual([
    1, 0.75, 0.5,
  ]);
});

test.each([
  ['x:max-nrom=1', 'x has no option "max-nrom"', 'Did you mean max-norm?'],
  ['x:toString=1', 'x has no option "toString"', ''],
  ['x:max-norm=0', 'max-norm of x must be a number > 0', ''],
  ['x:max-norm=one', 'max-norm of x must be a number > 0', 'schedule'],
  ['x:max-norm=cosin(1,0,10)', 'unknown schedule', 'Did you mean cosine?'],
  ['x:bits=40', 'bits of x must be a whole number from 2 to 16, not 40', ''],
  ['x:bits=3.5', 'bits of x must be a whole number', ''],
  ['x:error-feedback=yes', 'error-feedback of x must be true or false, not yes', ''],
  ['x:maxNorm=1,max-norm=2', 'x is given max-norm twice', 'Leave one of them out'],
  ['x:rounding=up', 'rounding of x must be one of nearest, stochastic', ''],
])('refuses %s', (text, problem, remedy) => {
  const wanted = expect.objectContaining({
    code: 'INVALID_OPTION',
    message: expect.stringMatching(new RegExp(`${problem}[\\s\\S]*${remedy}`)),
  });
  expect(() => read(text)).toThrow(wanted);
});

test('what stands in brackets goes to the option that takes it', () => {
  const inner = definePlugin({ name: 'top-k', options: {} })();
  expect(readOptions(parseSpec('x(top-k)'), declared, [inner])).toEqual({ compressor: inner });
  expect(() => readOptions(parseSpec('x(top-k)'), { bits: declared.bits }, [inner])).toThrow(
    'x takes no "top-k" inside it',
  );
});
