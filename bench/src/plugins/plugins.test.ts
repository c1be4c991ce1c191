import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { small } from '../workloads.js';
import { measure, shareOf } from './measure.js';
import { formats, type PluginReport, written } from './report.js';
import { rows } from './rows.js';

const environment = {
  gradware: '0',
  onnxruntime: '0',
  node: '0',
  system: 'none',
  processor: 'none',
  cores: 1,
  threads: 1,
  pytorch: undefined,
  blas: undefined,
};

const costOf = (name: string) => ({
  row: { name, chain: () => [], bound: 0.15 },
  passes: { reading: 1.001, writing: 0.5 },
  gradware: { median: 0.1234, low: 0.1, high: 0.14 },
  pytorch: undefined,
});
const report: PluginReport = {
  environment,
  steps: 20,
  workloads: [{ workload: small, step: 2.5, pytorchStep: undefined, costs: [costOf('a, b')] }],
};
const folder = new URL('../../../', import.meta.url);

test('a share is a median of turns side by side, with its quartiles', () => {
  expect(shareOf([1, 2, 4, 8, 10], [1.1, 2, 5, 12, 13])).toEqual({
    median: expect.closeTo(0.25),
    low: expect.closeTo(0.1),
    high: expect.closeTo(0.3),
  });
});

test('a row has passes, its share of a step, and whether that is what is wanted', () => {
  expect(formats.markdown(report)).toContain(
    '| a, b | 1 + 0.5 | 12 % ± 2.0 | - | below 15 %: yes |',
  );
  expect(formats.text(report)).toContain('a step with the empty chain takes 2.50 ms.');
  expect(JSON.parse(formats.json(report)).models[0].chains[0]).toMatchObject({
    name: 'a, b',
    gradware: { median: 0.1234 },
  });
});

test('the table takes the place of the one that a page had', () => {
  const page =
    'before\n<!-- made by pnpm bench:plugins --write -->\nold\n<!-- until here -->\nafter\n';
  const once = written(page, report);
  expect(once).toMatch(/^before\n<!-- made .*\| a, b \|.*<!-- until here -->\nafter\n$/s);
  expect(once).not.toContain('old');
  expect(written(once, report)).toBe(once);
  expect(() => written('nothing', report)).toThrow('no "<!-- made by');
});

test('what plugins cost is measured on any model', async () => {
  const chosen = rows.filter(({ name }) => ['nothing', 'l2', 'accumulate, 4'].includes(name));
  const schedule = { rounds: 1, steps: 2, warmup: 0, pause: 0 };
  const { costs, step } = await measure(small, chosen, undefined, 1, schedule);
  expect(step).toBeGreaterThan(0);
  expect(costs.map(({ row }) => row.name)).toEqual(['nothing', 'accumulate, 4', 'l2']);
  expect(costs[0]?.passes).toEqual({ reading: 0, writing: 0 });
  expect(costs[2]?.passes.writing).toBeGreaterThan(0);
  for (const { gradware } of costs) expect(gradware.median).toBeGreaterThan(-1);
});

test('every plugin that is published has a row', () => {
  const published = readdirSync(new URL('packages/plugins/', folder)).filter((name) => {
    const manifest = readFileSync(new URL(`packages/plugins/${name}/package.json`, folder), 'utf8');
    return JSON.parse(manifest).private !== true;
  });
  const measured = rows.flatMap(({ chain }) => chain().map(({ name }) => name));
  expect([...new Set(measured)].sort()).toEqual(published.sort());
});

/** The cells of the table on the page, without its header. */
function tableOf(page: string): readonly (readonly string[])[] {
  const [, table = ''] =
    /<!-- made by pnpm bench:plugins --write -->(.*)<!-- until here -->/s.exec(page) ?? [];
  const lines = table.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) => line.slice(2, -2).split(' | '));
}

test('docs/PERFORMANCE.md has all rows of the table, and no rows of another day', () => {
  const page = readFileSync(new URL('docs/PERFORMANCE.md', folder), 'utf8');
  expect(written(page, report)).toContain('| a, b |');
  const table = tableOf(page);
  expect(table.map(([name]) => name)).toEqual(rows.map(({ name }) => name));
  const share = /^-?\d+(\.\d)? % ± \d+(\.\d)?$/;
  for (const [name, passes, ...cells] of table) {
    expect(passes, name).toMatch(/^\d+(\.\d)? \+ \d+(\.\d)?$/);
    // MLP, PyTorch, CNN, PyTorch, wanted; PyTorch has no counterpart of some.
    expect([cells[0], cells[2]], name).toEqual([
      expect.stringMatching(share),
      expect.stringMatching(share),
    ]);
  }
});
