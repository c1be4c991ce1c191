import { readFileSync } from 'node:fs';
import type { GradientPlugin } from '@gradware/core';
import { createRandom } from '@gradware/data';
import { expect, test } from 'vitest';
import { type Method, methods } from './methods.js';
import { baseline, sequences } from './problem.js';
import { markdown, outcome, summary } from './report.js';
import { trainOnce } from './train.js';

const find = (name: string) => methods.find((method) => method.name.startsWith(name)) as Method;

test('a sequence has one mark in either half, and their sum is the answer', () => {
  const { x, target } = sequences(500, 11, createRandom(1));
  expect([x?.dims, target?.dims]).toEqual([
    [500, 11, 2],
    [500, 1],
  ]);
  const [data, answers] = [x?.data as Float32Array, target?.data as Float32Array];
  let squares = 0;
  answers.forEach((answer, i) => {
    const steps = Array.from({ length: 11 }, (_, t) => data.subarray(2 * (11 * i + t)));
    const marked = steps.flatMap(([, mark], t) => (mark === 1 ? [t] : []));
    expect(marked).toEqual([expect.toSatisfy((t) => t < 5), expect.toSatisfy((t) => t >= 5)]);
    expect(answer).toBeCloseTo(
      marked.reduce((sum, t) => sum + (steps[t]?.[0] ?? 0), 0),
      5,
    );
    squares += (answer - 1) ** 2;
  });
  expect(squares / 500).toBeCloseTo(baseline, 1);
});

test('a short sequence is learnt in a thousand steps, and the same way every time', async () => {
  const task = { length: 6, seed: 1, steps: 1_000 };
  const first = await trainOnce(find('norm-clip'), task);
  expect(first.diverged).toBeUndefined();
  expect(first.error).toBeLessThan(0.3 * baseline);
  expect(await trainOnce(find('norm-clip'), task)).toEqual(first);
});

test.each(methods)('$name makes some steps', async (method) => {
  const { error } = await trainOnce(method, { length: 10, seed: 1, steps: 100 });
  expect(error).toBeLessThan(2 * baseline);
});

test('a run whose loss is no number has diverged', async () => {
  const explode: GradientPlugin = {
    name: 'explode',
    transform: (gradients, { op }) => gradients.map((g) => op.Mul(g, 1e9)),
  };
  const method = { name: 'explode', chain: () => [explode], claim: '' };
  const run = await trainOnce(method, { length: 10, seed: 1, steps: 200 });
  expect(run.diverged).toBeLessThan(20);
  expect(outcome(run)).toBe('diverged');
});

test('an error says what became of a run', () => {
  const runs = [Number.NaN, 1e6, 0.4, 0.17, 0.151, 0.1, 0.01];
  expect(runs.map((error) => outcome({ diverged: undefined, error }))).toEqual([
    ...['diverged', 'diverged', 'diverged', 'constant', 'constant', 'halfway', 'learnt'],
  ]);
});

const result = {
  length: 50,
  method: { name: 'some-clip', chain: () => [], claim: 'a claim' },
  runs: [
    { diverged: 7, error: Number.NaN },
    { diverged: undefined, error: 0.1667 },
    { diverged: undefined, error: 0.00321 },
  ],
};

test('a line counts what became of the runs, and has their errors', () => {
  expect(summary(result)).toEqual(['50', 'some-clip', '1', '1', '0', '1', '0.0032, 0.17']);
  expect(markdown([result], 3)).toContain(
    '| 50 | some-clip | 1 | 1 | 0 | 1 | 0.0032, 0.17 | a claim |',
  );
});

test('the written table has the rows of today', () => {
  const written = readFileSync(new URL('../../../docs/ADDING_PROBLEM.md', import.meta.url), 'utf8');
  const names = [...written.matchAll(/^\| (\d+) \| (.+?) \|/gm)].map((match) => match.slice(1));
  expect(names).toEqual(
    ['50', '100'].flatMap((length) => methods.map(({ name }) => [length, name])),
  );
});
