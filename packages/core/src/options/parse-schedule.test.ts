import { expect, test } from 'vitest';
import { schedules } from '../schedules/index.js';
import type { Schedule } from '../schedules/schedule.js';
import { parseSchedule, scheduleUsage } from './parse-schedule.js';

const steps = [0, 1, 49, 50, 99, 100, 101, 500, 1000, 2000];
const table = (schedule: Schedule) => steps.map((step) => schedule(step));

test.each<[string, Schedule]>([
  ['0.5', schedules.constant(0.5)],
  ['constant(-2e-3)', schedules.constant(-2e-3)],
  ['cosine(1,0.1,1000)', schedules.cosine(1, 0.1, 1000)],
  [' cosine( 1 , .1, 1e3 ) ', schedules.cosine(1, 0.1, 1000)],
  ['linear(steps=100, from=1, to=0)', schedules.linear(1, 0, 100)],
  ['linear(1, steps=100, to=0)', schedules.linear(1, 0, 100)],
  ['polynomial(1, 0, 100, 2)', schedules.polynomial(1, 0, 100, 2)],
  ['exponential(1, 0.9)', schedules.exponential(1, 0.9)],
  ['step(1, 0.1, 50)', schedules.step(1, 0.1, 50)],
  ['piecewise(1, 50, 0.1, 100, 0.01)', schedules.piecewise(1, 50, 0.1, 100, 0.01)],
  ['piecewise(1)', schedules.constant(1)],
  ['warmup(cosine(1, 0, 900), 100)', schedules.warmup(schedules.cosine(1, 0, 900), 100)],
  ['warmup(0.1, 100, from=0.01)', schedules.warmup(0.1, 100, 0.01)],
])('reads %s', (text, schedule) => {
  expect(table(parseSchedule(text))).toEqual(table(schedule));
});

test.each([
  ['', 'is empty'],
  ['cosin(1,0,10)', 'Did you mean cosine'],
  ['cosine', 'lacks "("'],
  ['cosine(1,0,10', 'lacks ")"'],
  ['cosine(1,0)', 'does not say steps of cosine'],
  ['cosine(1,0,10,3)', 'too many arguments'],
  ['cosine(1,0,steps=10,steps=3)', 'twice'],
  ['cosine(1,0,stesp=10)', '"stesp" that cosine does not have'],
  ['cosine(1,0,linear(1,0,3))', 'a schedule where a number belongs'],
  ['cosine(1,0,)', 'lacks a number'],
  ['linear(1,0,10) linear(1,0,10)', 'goes on with'],
  ['linear(1;0;10)', 'cannot be read at ";0;10)"'],
  ['linear(1.5.2,0,10)', 'cannot be read at'],
  ['linear(1,0,0)', 'steps of the schedule linear must be a whole number >= 1, not 0'],
  ['constructor(1)', 'unknown schedule'],
])('refuses %s', (text, problem) => {
  expect(() => parseSchedule(text)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(problem) }),
  );
});

test('says where the text goes wrong', () => {
  expect(() => parseSchedule('warmup(cosin(1,0,9),5)')).toThrow('character 8');
});

test('says how each schedule is written', () => {
  expect(scheduleUsage()).toContain('cosine(from, to, steps)');
  expect(scheduleUsage()).toContain('exponential(from, factor[, steps])');
});
