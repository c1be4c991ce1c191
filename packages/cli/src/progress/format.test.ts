import { expect, test } from 'vitest';
import {
  asArgument,
  formatCount,
  formatNumber,
  formatRate,
  formatShare,
  formatTime,
} from './format.js';

test.each([
  [0, '0'],
  [29096, '29096'],
  [0.123456, '0.1235'],
  [123.456, '123.5'],
  [0.0001234, '1.23e-4'],
  [-1234567.5, '-1.23e+6'],
  [Number.POSITIVE_INFINITY, 'Infinity'],
])('the number %d is written %s', (value, text) => expect(formatNumber(value)).toBe(text));

test.each([
  [0.4, '0:00'],
  [65, '1:05'],
  [59.6, '1:00'],
  [7384, '2:03:04'],
])('%d seconds are written %s', (seconds, text) => expect(formatTime(seconds)).toBe(text));

test('rates, counts and shares', () => {
  expect(formatRate(0.5)).toBe('0.500');
  expect(formatRate(12345.6)).toBe('12,346');
  expect(formatCount(1437)).toBe('1,437');
  expect(formatCount(1234567)).toBe('1,234,567');
  expect(formatShare(0.98333)).toBe('98.33 %');
});

test.each([
  ['runs/läuft.1', 'linux', 'runs/läuft.1'],
  ['my runs/a', 'linux', "'my runs/a'"],
  ["it's $1", 'linux', "'it'\\''s $1'"],
  ['my runs\\a', 'win32', '"my runs\\a"'],
])('%s in a shell of %s', (text, platform, wanted) => {
  expect(asArgument(text, platform)).toBe(wanted);
});
