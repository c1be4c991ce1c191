import { expect, test } from 'vitest';
import type { GradientPlugin, PluginHooks } from '../plugins/plugin.js';
import { countPasses, float32 } from '../testing.js';

const dims = [30, 20];
const weights = new Map([
  ['w', float32({ dims, data: new Float32Array(600) })],
  ['b', float32({ dims: [400], data: new Float32Array(400) })],
]);
const passes = (hooks: PluginHooks & Partial<GradientPlugin>) =>
  countPasses({ plugins: [{ name: 'sample', ...hooks }], weights });

test('a plugin that does nothing adds no pass, whatever it reports', () => {
  const found = passes({
    transform(gradients, { op, metric }) {
      metric('norm', op.globalNorm(gradients));
      return gradients;
    },
  });
  expect(found).toEqual({ reading: 0, writing: 0 });
});

test('sums read, what scales writes, and reshaping costs nothing', () => {
  const found = passes({
    transform: (gradients, { op }) =>
      gradients.map((g) => {
        const flat = op.reshape(g, [g.shape.reduce((a, b) => a * b, 1)]);
        return op.Mul(op.reshape(flat, g.shape), op.ReduceMax(flat, { keepdims: 0 }));
      }),
  });
  expect(found).toEqual({ reading: 1, writing: 1 });
});

test('a tensor counts by its size', () => {
  const found = passes({
    include: 'w',
    transform: (gradients, { op }) => gradients.map((g) => op.Sqrt(op.Abs(g))),
  });
  expect(found).toEqual({ reading: 0, writing: expect.closeTo(1.2) });
});

test('a plugin that holds the step still counts what the step costs', () => {
  const found = passes({
    transform(gradients, { op, drop }) {
      drop(op.Not(op.isFinite(op.globalNorm(gradients))));
      return gradients;
    },
  });
  expect(found).toEqual({ reading: expect.closeTo(1, 1), writing: expect.closeTo(0, 1) });
});
