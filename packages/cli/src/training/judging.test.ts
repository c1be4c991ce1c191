import { expect, test } from 'vitest';
import { judging, leftOut } from './judging.js';

const session = { trainingInputNames: ['x', 'target'] };

test('answers of yes or no are told by the sign of what goes to the loss', () => {
  expect(judging({ loss: 'bce-with-logits:pos-weight=2' }, session)).toEqual({
    labels: 'target',
    threshold: 0,
  });
  expect(judging({ loss: 'bce-with-logits', lossInput: ['inner'] }, session)).toEqual({});
  expect(judging({ loss: 'mse' }, session)).toEqual({});
  expect(judging({ label: 'y' }, session)).toEqual({ labels: 'target' });
  const tokens = { trainingInputNames: ['tokens', 'labels'] };
  expect(judging({}, tokens)).toEqual({ labels: 'labels' });
});

test('what a fixed batch size leaves out', () => {
  expect(leftOut(60, { batchSize: 16, dropLast: true })).toMatch(/last 12 of 60/);
  expect(leftOut(64, { batchSize: 16, dropLast: true })).toBeUndefined();
  expect(leftOut(60, { batchSize: 16 })).toBeUndefined();
  expect(() => leftOut(9, { batchSize: 16, dropLast: true })).toThrow(/batches of 16.*9 examples/);
});
