import { commonOptions, type Option } from '@gradware/core';
import { expect, test } from 'vitest';
import { loadPlugins } from '../support/plugins.js';

/** The rows of the table of options in a README, as lists of cells without code marks and quotation marks. */
function optionRows(readme: string): readonly (readonly string[])[] {
  const [, table = ''] =
    /^\| option \| kind \| default \| \|\n\|[-|]+\|\n((?:\|.*\n)*)/m.exec(readme) ?? [];
  return table
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim().replaceAll(/[`']/g, '')),
    );
}

/** What the second cell says: whether it may change, and what it takes. */
function kindCell({ role, kind: { describe } }: Option): string {
  const words = describe.replace(/^one of (.*)$/, (_, list: string) =>
    list.replace(/, ([^,]*)$/, ' or $1'),
  );
  const schedule = words.includes(',') ? ', or a schedule' : ' or a schedule';
  return `${role}: ${words}${role === 'setting' ? schedule : ''}`;
}

/** Whether the third cell is the default; where there is none, what a plugin does then is in its help text. */
function isDefault(cell: string, { fallback, help }: Option): boolean {
  if (fallback === undefined) return cell === '' || help.includes(cell);
  return typeof fallback === 'number' ? Number(cell) === fallback : cell === String(fallback);
}

const plugins = await loadPlugins();

test.each(plugins)(
  'the README of $name has the options that it takes',
  ({ definition, readme }) => {
    const options = Object.entries<Option>(definition.options);
    const rows = optionRows(readme);
    expect(rows.map(([name, kind]) => [name, kind])).toEqual(
      options.map(([name, option]) => [name, kindCell(option)]),
    );
    options.forEach(([name, option], i) => {
      const cell = rows[i]?.[2] ?? '';
      expect(isDefault(cell, option), `${name}: ${cell}, not ${String(option.fallback)}`).toBe(
        true,
      );
    });
  },
);

test.each(plugins)('the README of $name names the options that every plugin has', ({ readme }) => {
  const paragraph = readme.split('\n\n').find((text) => text.includes('every plugin has:')) ?? '';
  const named = [...paragraph.matchAll(/`(\w+)`/g)].map((match) => match[1]);
  expect(named).toEqual(expect.arrayContaining(Object.keys(commonOptions)));
});
