import { describe, expect, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { compare, generator, like, map } from '../support/compare.js';
import { runLowered } from '../support/lowering.js';

const random = generator(11);

describe.each([[[7]], [[3, 5]], [[2, 3, 4, 5]], [[]]])('shape %j', (shape) => {
  const [dy, x] = [random(...shape), map(random(...shape), (v) => v * 4)];
  const sigmoid = map(x, (v) => 1 / (1 + Math.exp(-v)));
  const relu = map(x, (v) => Math.max(v, 0));

  test.each([
    ['ReluGrad', x, {}],
    ['ReluGrad', relu, {}],
    ['SigmoidGrad', sigmoid, {}],
    ['TanhGrad', map(x, Math.tanh), {}],
    ['GeluGrad', x, {}],
    ['FastGeluGrad', x, {}],
    ['QuickGeluGrad', x, {}],
    ['QuickGeluGrad', x, { alpha: 1.25 }],
    ['LeakyReluGrad', x, {}],
    ['LeakyReluGrad', x, { alpha: 0.3 }],
    ['SoftmaxGrad_13', sigmoid, {}],
    ['LogSoftmaxGrad_13', x, {}],
  ])('%s', (opType, second, attributes) =>
    opType.includes('oftmax') && shape.length === 0
      ? undefined
      : compare({ opType, inputs: [dy, second], attributes, outputs: [like(dy)] }),
  );
});

test.each(['BiasGeluGrad_dX', 'BiasFastGeluGrad_dX'])('%s', (opType) => {
  const [dy, x, bias] = [random(3, 4, 5), random(3, 4, 5), random(5)];
  return compare({ opType, inputs: [dy, x, bias], outputs: [like(dy)] });
});

describe.each(['SoftmaxGrad', 'LogSoftmaxGrad'])('%s', (opType) => {
  const [dy, y] = [random(2, 3, 4, 5), map(random(2, 3, 4, 5), (v) => v / 2)];
  test.each([undefined, 0, 1, 2, 3, -1, -3])('axis %s', async (axis) => {
    const shared = { inputs: [dy, y], attributes: { axis }, outputs: [like(dy)] };
    await compare({ ...shared, opType });
    await compare({ ...shared, opType: `${opType}_13` });
  });
});

test('a gradient that is not finite stays so, even where the unit is off', async () => {
  const { outputs } = await runLowered({
    opType: 'ReluGrad',
    inputs: [
      tensorOf('float32', [Number.NaN, Number.POSITIVE_INFINITY, 2]),
      tensorOf('float32', [0, 0, 0]),
    ],
    outputs: [{ type: 'float32', shape: [3] }],
  });
  expect([...(outputs[0]?.data ?? [])]).toEqual([Number.NaN, Number.NaN, 0]);
});
