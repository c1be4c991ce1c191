import { expect, test } from 'vitest';
import { createRate } from './rate.js';

function clocked() {
  let time = 0;
  const rate = createRate(() => time);
  const run = (steps: number, milliseconds: number) => {
    time += milliseconds;
    rate.add(steps);
  };
  const wait = (milliseconds: number) => {
    time += milliseconds;
  };
  return { rate, run, wait };
}

test('the first run, which compiles, does not count', () => {
  const { rate, run } = clocked();
  run(1, 5000);
  expect(rate.perSecond).toBeUndefined();
  run(50, 100);
  expect(rate.perSecond).toBeCloseTo(500, 6);
});

test('pauses do not count', () => {
  const { rate, run, wait } = clocked();
  run(1, 1);
  run(50, 100);
  wait(60_000);
  rate.pause();
  run(50, 100);
  expect(rate.perSecond).toBeCloseTo(500, 6);
});

test('it follows a change within seconds', () => {
  const { rate, run } = clocked();
  run(1, 1);
  for (let i = 0; i < 100; i++) run(10, 100);
  for (let i = 0; i < 250; i++) run(1, 100);
  expect(rate.perSecond).toBeGreaterThan(10);
  expect(rate.perSecond).toBeLessThan(11);
});
