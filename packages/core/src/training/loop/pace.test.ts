import { expect, test } from 'vitest';
import { createPace } from './pace.js';

function simulate(target: number, timeOf: (run: number, steps: number) => number, runs: number) {
  let clock = 0;
  const pace = createPace(target, () => clock);
  const counts: number[] = [];
  const run = async (i: number): Promise<void> => {
    if (i === runs) return;
    const { steps } = pace;
    counts.push(steps);
    await pace.measure(steps, async () => {
      clock += timeOf(i, steps);
    });
    await run(i + 1);
  };
  return run(0).then(() => counts);
}

test('runs grow to the time wanted, and the first, which compiles, does not count', async () => {
  const counts = await simulate(100, (run, steps) => (run === 0 ? 3000 : steps * 0.5), 8);
  expect(counts.slice(0, 2)).toEqual([1, 1]);
  expect(counts[2]).toBe(8);
  expect(counts.at(-1)).toBe(200);
});

test('slow steps run one at a time', async () => {
  expect(await simulate(100, (_, steps) => steps * 400, 5)).toEqual([1, 1, 1, 1, 1]);
});

test('steps that become slower make shorter runs', async () => {
  const counts = await simulate(100, (run, steps) => steps * (run < 5 ? 0.1 : 10), 80);
  expect(counts[5]).toBeGreaterThan(500);
  expect(counts.at(-1)).toBeLessThan(20);
});

test('steps that take no time at all are bounded', async () => {
  expect(Math.max(...(await simulate(100, () => 0, 10)))).toBe(1024);
});
