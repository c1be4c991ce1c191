import { expect, test } from 'vitest';
import { GradwareError } from '../errors.js';
import { schedules } from './index.js';
import type { Schedule } from './schedule.js';

const at = (schedule: Schedule, ...steps: number[]) => steps.map((step) => schedule(step));

test('linear goes in equal steps and stays at the end', () => {
  expect(at(schedules.linear(1, 0, 4), 0, 1, 2, 4, 9)).toEqual([1, 0.75, 0.5, 0, 0]);
});

test('cosine is CosineAnnealingLR up to T_max, then rests', () => {
  const values = at(schedules.cosine(0.1, 0.01, 10), 0, 3, 5, 10, 11);
  // torch.optim.lr_scheduler.CosineAnnealingLR(SGD(lr=0.1), 10, eta_min=0.01).get_last_lr() after 0, 3, 5, 10
  const torch = [0.1, 0.08145033635316129, 0.055, 0.01, 0.01];
  values.forEach((value, i) => {
    expect(value).toBeCloseTo(torch[i] as number, 12);
  });
});

test('polynomial with power 1 is linear', () => {
  expect(at(schedules.polynomial(2, 1, 4, 1), 0, 1, 3, 8)).toEqual([2, 1.75, 1.25, 1]);
  expect(schedules.polynomial(1, 0, 10, 2)(5)).toBeCloseTo(0.25, 12);
});

test('exponential falls smoothly, step at once', () => {
  expect(at(schedules.exponential(8, 0.5), 0, 1, 3)).toEqual([8, 4, 1]);
  expect(schedules.exponential(8, 0.25, 2)(1)).toBeCloseTo(4, 12);
  expect(at(schedules.step(8, 0.5, 10), 0, 9, 10, 25)).toEqual([8, 8, 4, 2]);
});

test('piecewise takes the new value at the boundary itself', () => {
  const schedule = schedules.piecewise(1, 10, 0.5, 20, 0.1);
  expect(at(schedule, 0, 9, 10, 19, 20, 99)).toEqual([1, 1, 0.5, 0.5, 0.1, 0.1]);
});

test('warmup rises to where the schedule begins and then runs it from its start', () => {
  const schedule = schedules.warmup(schedules.linear(1, 0, 4), 2);
  expect(at(schedule, 0, 1, 2, 3, 6, 7)).toEqual([0, 0.5, 1, 0.75, 0, 0]);
  expect(at(schedules.warmup(3, 2, 1), 0, 1, 2, 50)).toEqual([1, 2, 3, 3]);
  expect(schedules.warmup(3, 0)(0)).toBe(3);
});

test.each<[string, () => Schedule, string]>([
  ['no steps', () => schedules.linear(1, 0, 0), 'steps of the schedule linear'],
  ['half a step', () => schedules.cosine(1, 0, 2.5), 'steps of the schedule cosine'],
  ['NaN', () => schedules.constant(Number.NaN), 'value of the schedule constant'],
  ['infinity', () => schedules.linear(Number.POSITIVE_INFINITY, 0, 3), 'from of'],
  ['a factor of zero', () => schedules.exponential(1, 0), 'factor of the schedule exponential'],
  ['no power', () => schedules.polynomial(1, 0, 4, 0), 'power of'],
  ['falling boundaries', () => schedules.piecewise(1, 5, 2, 3, 4), 'must rise'],
  ['a boundary alone', () => schedules.piecewise(1, 5), 'ends with a boundary'],
])('refuses %s', (_, make, problem) => {
  expect(make).toThrow(GradwareError);
  expect(make).toThrow(problem);
});
