import { expect, test } from 'vitest';
import { valueAt } from '../schedules/schedule.js';
import {
  boolean,
  checkOptions,
  constant,
  finite,
  fraction,
  integer,
  type Kind,
  nonNegative,
  number,
  oneOf,
  positive,
  ratio,
  setting,
} from './options.js';

const infinity = Number.POSITIVE_INFINITY;

test.each<[string, Kind<unknown>, readonly unknown[], readonly unknown[]]>([
  ['number', number, [0, -1.5, infinity, -infinity], [Number.NaN, '1', null, undefined]],
  ['finite', finite, [0, -1e300], [infinity, Number.NaN, '1']],
  ['positive', positive, [1e-300, infinity], [0, -1, Number.NaN, 1n]],
  ['nonNegative', nonNegative, [0], [-1e-9, Number.NaN, infinity]],
  ['fraction', fraction, [0, 0.999], [1, -0.1, Number.NaN]],
  ['ratio', ratio, [1e-9, 1], [0, 1.001]],
  ['integer', integer(2, 16), [2, 16], [1, 17, 2.5, infinity, '3']],
  ['integer without an end', integer(0), [0, 2 ** 40], [-1, infinity]],
  ['boolean', boolean, [true, false], [0, 'true', undefined]],
  ['oneOf', oneOf('a', 'b'), ['a', 'b'], ['c', 'A', undefined]],
])('%s accepts what it should and nothing else', (_, kind, good, bad) => {
  for (const value of good) expect(kind.accepts(value), String(value)).toBe(true);
  for (const value of bad) expect(kind.accepts(value), String(value)).toBe(false);
});

const declared = {
  maxNorm: setting(positive, 1),
  scale: setting(nonNegative),
  bits: constant(integer(2, 16), 8),
  label: constant(oneOf('mean', 'sum')),
};

test('fills in what was not given, and leaves out optional settings', () => {
  expect(checkOptions('clip', declared, {})).toEqual({
    constants: { bits: 8, label: undefined },
    settings: { maxNorm: 1 },
  });
  expect(checkOptions('clip', declared, { maxNorm: undefined }).settings).toEqual({ maxNorm: 1 });
  expect(checkOptions('clip', declared, { maxNorm: infinity }).settings.maxNorm).toBe(infinity);
});

test.each<[Record<string, unknown>, string]>([
  [{ maxNorm: 0 }, 'clip.maxNorm must be a number > 0, not 0'],
  [{ maxNorm: '1' }, 'clip.maxNorm must be a number > 0, not "1"'],
  [{ scale: -2 }, 'clip.scale must be a number >= 0, not -2'],
  [{ scale: infinity }, 'clip.scale must be a number >= 0, not Infinity'],
  [{ bits: 17 }, 'clip.bits must be a whole number from 2 to 16, not 17'],
  [{ label: 'max' }, 'clip.label must be one of mean, sum, not "max"'],
  [{ label: Object.create(null) }, 'clip.label must be one of mean, sum, not an object'],
  [{ bits: Symbol('eight') }, 'clip.bits must be a whole number from 2 to 16'],
  [{ bits: () => 8 }, 'clip.bits must be a whole number from 2 to 16, not a function'],
  [{ bits: [8] }, 'clip.bits must be a whole number from 2 to 16, not a list'],
  [{ maxnorm: 1 }, 'Did you mean maxNorm?'],
  [{ bit: 3 }, 'Did you mean bits?'],
  [{ somethingElse: 3 }, 'Its options: maxNorm, scale, bits, label.'],
  [{ toString: 3 }, 'clip has no option "toString"'],
])('refuses %o', (given, problem) => {
  expect(() => checkOptions('clip', declared, given)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(problem) }),
  );
});

test('checks a schedule when it is asked for its value', () => {
  const { settings } = checkOptions('clip', declared, { maxNorm: (step: number) => 2 - step });
  const maxNorm = settings.maxNorm ?? 0;
  expect(valueAt(maxNorm, 1)).toBe(1);
  expect(() => valueAt(maxNorm, 2)).toThrow('clip.maxNorm at step 2 must be a number > 0, not 0');
});

test('says that a plugin without options has none', () => {
  expect(() => checkOptions('noop', {}, { anything: 1 })).toThrow('Its options: none.');
});
