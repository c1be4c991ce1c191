import { Command } from 'commander';
import { expect, test } from 'vitest';
import { refuseMissingValues } from './missing-values.js';

const command = () =>
  new Command('train')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .option('--plugin <spec>', 'a plugin')
    .option('--delimiter <sign>', 'a sign')
    .option('--epochs <n>', 'a number')
    .option('--prefix <text>', 'a text', '')
    .option('--json', 'as JSON');

test.each([
  ['--plugin', '--epochs', '3'],
  ['model', '--plugin', '--json'],
  ['--json', '--plugin', '--epoch=3'],
  ['--epochs', '3', '--plugin', '-h'],
])('refuses %s %s %s', (...args) => {
  expect(() => refuseMissingValues(command(), args)).toThrow(
    /option '--plugin <spec>' argument missing: "-.*write --plugin=-/,
  );
});

test.each([['--epochs', '3', '--plugin', ''], ['--plugin=']])('refuses %s %s', (...args) => {
  expect(() => refuseMissingValues(command(), args)).toThrow(/missing: its value is empty/);
});

test.each([
  ['--prefix', '', '--json'],
  ['--plugin=--epochs', '--epochs', '3'],
  ['--delimiter', '-', '--json'],
  ['--epochs', '-3', '--json'],
  ['--json', '--', '--plugin', '--epochs'],
  ['--json', '--plugin'],
])('leaves %s %s to others', (...args) => {
  expect(() => refuseMissingValues(command(), args)).not.toThrow();
});
