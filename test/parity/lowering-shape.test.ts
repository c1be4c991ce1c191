import { describe, expect, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { sameShape } from '../../packages/core/src/graph/value.js';
import { compare, generator, int64, like, map } from '../support/compare.js';
import { runLowered } from '../support/lowering.js';

const random = generator(16);
const number = (value: number, dims: readonly number[] = []) => tensorOf('float32', [value], dims);
const flag = (value: boolean, dims: readonly number[] = [1]) =>
  tensorOf('bool', [value ? 1 : 0], dims);

test.each([
  [[2, 3, 4], [3, 1], [], [2, 0]],
  [[2, 3], [2, 3], [], []],
  [[1], [4, 5, 6], [2, 1, 0], []],
  [[5, 1, 3], [1, 4, 1], [1], [2, 0]],
])('BroadcastGradientArgs %j %j', async (a, b, first, second) => {
  const outputs = [first, second].map((axes) => ({ type: 'int64' as const, shape: [axes.length] }));
  const node = { opType: 'BroadcastGradientArgs', inputs: [int64(a), int64(b)], constants: [0, 1] };
  await compare({ ...node, outputs, reference: [int64(first), int64(second)] });
  if (!sameShape(a, b)) await compare({ ...node, outputs });
});

test.each([
  [[0], 1, 0],
  [[-1, 0], 0, 0],
  [[1, 2], 1, 0],
])('ReduceSumTraining over %j, keepdims %i, noop %i', (axes, keepdims, noop_with_empty_axes) => {
  const all = axes.map((axis) => (axis + 3) % 3);
  const shape = [2, 3, 4].flatMap((dim, axis) =>
    all.includes(axis) ? (keepdims ? [1] : []) : [dim],
  );
  return compare({
    opType: 'ReduceSumTraining',
    inputs: [random(2, 3, 4), int64(axes)],
    attributes: { keepdims, noop_with_empty_axes },
    constants: [1],
    outputs: [{ type: 'float32', shape }],
  });
});

test('a reduction over no axes is nothing at all', async () => {
  const x = random(2, 3);
  const { nodes } = await runLowered({
    opType: 'ReduceSum',
    inputs: [x, int64([])],
    attributes: { noop_with_empty_axes: 1 },
    constants: [1],
    outputs: [like(x)],
  });
  expect(nodes.map((node) => node.opType)).toEqual(['Identity']);
});

describe.each([0, 1])('Scale, scale_down %i', (scale_down) => {
  test.each([
    ['a constant', number(3), [1]],
    ['a constant power of two', number(0.25, [1]), [1]],
    ['a constant int64', int64([48]), [1]],
    ['a float', number(1.7), []],
    ['an int32 of one element', tensorOf('int32', [5]), []],
  ])('by %s', async (_, factor, constants) => {
    for (const shape of [[2, 3], []]) {
      const x = random(...shape);
      const inputs = [x, factor];
      await compare({
        opType: 'Scale',
        inputs,
        attributes: { scale_down },
        constants,
        outputs: [like(x)],
      });
    }
  });
});

// Only a function body in ORT.
test.each([
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [[3], [2, 1]],
  [[], [2, 2]],
])('DivGrad %j / %j', async (left, right) => {
  const [a, b] = [random(...left), map(random(...right), (v) => v + 2)];
  const full = [left, right].reduce((x, y) => (x.length > y.length ? x : y)).slice();
  if (left.length === 1 && right.length === 2) full[1] = 3;
  const inputs = [random(...full), a, b];
  await compare({ opType: 'DivGrad', inputs, outputs: [like(a), like(b)], tolerance: 4e-6 });
});

describe('FusedMatMul', () => {
  test.each([
    [[2, 3, 4], [2, 4, 5], [2, 3, 5], {}],
    [[2, 4, 3], [2, 4, 5], [2, 3, 5], { transA: 1, alpha: 0.5 }],
    [[2, 3, 4], [2, 5, 4], [2, 3, 5], { transB: 1 }],
    [[3, 2, 4], [2, 4, 5], [2, 3, 5], { transBatchA: 1 }],
    [[4, 2, 3], [5, 2, 4], [2, 3, 5], { transBatchA: 1, transA: 1, transBatchB: 1, transB: 1 }],
  ])('%j x %j -> %j %j', (a, b, shape, attributes) =>
    compare({
      opType: 'FusedMatMul',
      inputs: [random(...a), random(...b)],
      attributes,
      outputs: [{ type: 'float32', shape }],
    }),
  );
});

// ScaledSum has a CUDA kernel only.
test.each([2, 3])('ScaledSum of %i', (count) => {
  const inputs = Array.from({ length: count }, () => random(2, 3));
  const scales = [2, -1.5, 0.25];
  const reference = map(inputs[0] as (typeof inputs)[0], (_, i) =>
    inputs.reduce((sum, x, n) => sum + Number(x.data[i]) * (scales[n] ?? 0), 0),
  );
  const attributes = { scale_0: 2, scale_1: -1.5, scale_2: 0.25 };
  const outputs = [{ type: 'float32' as const, shape: [2, 3] }];
  return compare({ opType: 'ScaledSum', inputs, attributes, outputs, reference: [reference] });
});

test('ReduceAllL2', () =>
  compare({
    opType: 'ReduceAllL2',
    inputs: [random(2, 3), random(5), random()],
    outputs: [{ type: 'float32', shape: [] }],
  }));

test('PassThrough', () => {
  const inputs = [random(2), random(3, 2)];
  const outputs = inputs.map((x) => like(x));
  // The wasm build has no kernel for it.
  return compare({ opType: 'PassThrough', inputs, outputs, reference: inputs });
});

describe('accumulators', () => {
  const [buffer, value] = [random(2, 3), random(2, 3)];
  const sum = map(buffer, (v, i) => v + Number(value.data[i]));

  test.each([true, false])('InPlaceAccumulatorV2, overwrite %s', (overwrite) =>
    compare({
      opType: 'InPlaceAccumulatorV2',
      inputs: [buffer, value, flag(overwrite)],
      outputs: [{ type: 'bool', shape: [1] }, like(buffer)],
      // The kernel works in place: its own buffer is the result.
      reference: [flag(true), overwrite ? value : sum],
    }),
  );

  test.each([true, false])('InPlaceAccumulator, update %s', (update) =>
    compare({
      opType: 'InPlaceAccumulator',
      inputs: [buffer, value, flag(update)],
      outputs: [like(buffer)],
      reference: [update ? sum : buffer],
    }),
  );
});

describe('quantization', () => {
  const x = tensorOf('float32', [-3, -1.27, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1.26, 1.29, 9], [11]);

  test.each([
    [0.5, 0, {}],
    [0.01, 0, { quant_min: -127, quant_max: 127 }],
    [0.1, 12, {}],
  ])('FakeQuant, scale %d, zero point %d, %j', async (scale, zero, attributes) => {
    const inputs = [x, number(scale), number(zero)];
    await compare({ opType: 'FakeQuant', inputs, attributes, outputs: [like(x), like(x, 'bool')] });
  });

  test('FakeQuantGrad', () =>
    compare({
      opType: 'FakeQuantGrad',
      inputs: [random(3), tensorOf('bool', [1, 0, 1])],
      outputs: [{ type: 'float32', shape: [3] }],
    }));
});
