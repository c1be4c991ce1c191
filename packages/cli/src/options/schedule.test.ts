import { expect, test } from 'vitest';
import { parseRunSchedule } from './schedule.js';

const run = { learningRate: 0.1, steps: 100 };
const table = (text: string, steps: readonly number[]) => {
  const schedule = parseRunSchedule(text)(run);
  return steps.map((step) => Number(schedule(step).toFixed(6)));
};

test.each([
  ['constant', [0, 50, 100], [0.1, 0.1, 0.1]],
  ['linear', [0, 50, 100], [0.1, 0.05, 0]],
  ['linear:to=0.02', [0, 50, 100], [0.1, 0.06, 0.02]],
  ['cosine', [0, 50, 100], [0.1, 0.05, 0]],
  ['cosine:warmup=20', [0, 10, 20, 60, 100], [0, 0.05, 0.1, 0.05, 0]],
  ['constant:warmup=10', [0, 5, 10, 100], [0, 0.05, 0.1, 0.1]],
  ['polynomial:power=2', [0, 50, 100], [0.1, 0.025, 0]],
  ['exponential', [0, 50, 100], [0.1, 0.01, 0.001]],
  ['step:every=50,factor=0.5', [0, 49, 50, 100], [0.1, 0.1, 0.05, 0.025]],
  ['linear(1,0,10)', [0, 5, 10], [1, 0.5, 0]],
])('%s spans the run', (text, steps, values) => {
  expect(table(text, steps)).toEqual(values);
});

test.each([
  ['cosin', 'No schedule is named "cosin"[\\s\\S]*Did you mean cosine?'],
  ['cosine:wramup=1', 'cosine has no option "wramup"[\\s\\S]*Did you mean warmup?'],
  ['cosine:warmup=-1', 'warmup of cosine must be a whole number'],
  ['cosine:warmup=100', 'The warm-up takes 100 of 100 steps'],
  ['constructor', 'No schedule is named "constructor"'],
])('refuses %s', (text, problem) => {
  expect(() => parseRunSchedule(text)(run)).toThrow(new RegExp(problem));
});
