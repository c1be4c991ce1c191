import { expect, test } from 'vitest';
import { type BarState, renderBar } from './bar.js';

const state: BarState = {
  epoch: 3,
  epochs: 20,
  done: 0.5,
  loss: 0.12345678,
  metrics: { 'norm-clip.norm': 2.5, 'accumulate.rest': Number.NaN, 'quantize.bytes': 29096 },
  stepsPerSecond: 1234.5,
  secondsLeft: 65,
};

test('a wide terminal shows everything but what rests', () => {
  expect(renderBar(state, 140)).toBe(
    `epoch  3/20 ${'━'.repeat(15)}${'─'.repeat(15)}  50%  loss 0.1235  norm-clip.norm 2.500  quantize.bytes 29096  1,235 steps/s  1:05 left`,
  );
});

test.each([20, 30, 40, 60, 80, 100])('%i columns are enough for a line of their own', (columns) => {
  const bar = renderBar(state, columns);
  expect(bar.length).toBeLessThanOrEqual(columns);
  expect(bar).toContain('50%');
});

test('metrics go first, then the rate; loss and time stay longest', () => {
  const bar = renderBar(state, 60);
  expect(bar).not.toContain('quantize');
  expect(bar).not.toContain('steps/s');
  expect(bar).toContain('loss 0.1235  1:05 left');
});

test('colours do not count as characters', () => {
  const painted = renderBar(state, 60, (_, text) => `<${text}>`);
  expect(painted.replace(/[<>]/g, '')).toBe(renderBar(state, 60));
});

test('nothing is known at the start', () => {
  const bare = { ...state, done: 0, loss: undefined, stepsPerSecond: undefined };
  expect(renderBar({ ...bare, metrics: {}, secondsLeft: undefined }, 60)).toBe(
    `epoch  3/20 ${'─'.repeat(30)}   0%`,
  );
});
