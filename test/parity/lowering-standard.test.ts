import { expect, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import type { TensorData } from '../../packages/core/src/onnx/ir.js';
import { compare, expectClose, generator, int64, like, map } from '../support/compare.js';
import { runLowered } from '../support/lowering.js';

// What webgpu lacks, against the kernel that the CPU has.
const random = generator(17);
const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const odd = tensorOf('float32', [-inf, -2.5, -1.5, -1, -0.5, 0, 0.5, 1.2, 1.5, 2.5, inf, nan]);
const bools = [tensorOf('bool', [0, 0, 1, 1]), tensorOf('bool', [0, 1, 0, 1])];
const number = (value: number) => tensorOf('float32', [value], []);

async function agrees(
  opType: string,
  inputs: readonly (TensorData | undefined)[],
  given: Partial<Parameters<typeof compare>[0]> = {},
): Promise<void> {
  const first = inputs[0] as TensorData;
  await compare({ opType, inputs, outputs: [like(first)], opset: 18, ...given });
}

const finite = map(random(3, 5), (v) => v * 4);

test.each(['Relu', 'Sign'])('%s, also of what is not finite', (opType) => agrees(opType, [odd]));
test('Round, halves to even', () =>
  agrees('Round', [tensorOf('float32', [-2.5, -1.5, -0.7, -0.5, 0, 0.3, 0.5, 0.7, 1.5, 2.5])]));
test.each(['Softsign', 'Selu', 'Celu'])('%s', (opType) => agrees(opType, [finite]));
test('Celu of alpha 0.5', () => agrees('Celu', [finite], { attributes: { alpha: 0.5 } }));
test.each([-1, 0, 1])('LogSoftmax over axis %i', (axis) =>
  agrees('LogSoftmax', [finite], { attributes: { axis } }),
);
// The kernels turn NaN into a bound on webgpu, and infinity into the largest number where a bound is missing.
test.each([
  [-1, 1],
  [-1, undefined],
  [undefined, 1],
  [undefined, undefined],
])('Clip to %s, %s keeps NaN and infinity', async (low, high) => {
  const inputs = [odd, low === undefined ? undefined : number(low), high && number(high)];
  const { outputs } = await runLowered({
    opType: 'Clip',
    inputs: inputs.map((tensor) => tensor || undefined),
    outputs: [like(odd)],
    provider: 'webgpu',
  });
  const wanted = map(odd, (v) => Math.min(Math.max(v, low ?? -inf), high ?? inf));
  expectClose(outputs[0], wanted, 0);
});
test.each([
  ['Or', bools],
  ['Xor', bools],
  ['Equal', bools],
])('%s', (opType, inputs) => agrees(opType, inputs));
test('IsNaN', () => agrees('IsNaN', [odd], { outputs: [like(odd, 'bool')] }));
test.each([{}, { detect_negative: 0 }, { detect_positive: 0 }])('IsInf %j', (attributes) =>
  agrees('IsInf', [odd], { attributes, outputs: [like(odd, 'bool')] }),
);
test.each([1, 2, 3])('Sum and Mean of %i', async (count) => {
  const inputs = [random(2, 3), random(2, 3), random(2, 3)].slice(0, count);
  await agrees('Sum', inputs);
  await agrees('Mean', inputs);
});

test.each([-1, 0, 1])('OneHot along %i', (axis) =>
  agrees('OneHot', [int64([0, 2, -1, 1], [2, 2]), int64([4], []), tensorOf('float32', [-1, 3])], {
    attributes: { axis },
    constants: [1],
    outputs: [
      { type: 'float32', shape: axis === 0 ? [4, 2, 2] : axis === 1 ? [2, 4, 2] : [2, 2, 4] },
    ],
  }),
);

test('Split into more parts than there are buffers', () => {
  const sizes = [1, 2, 1, 1, 3, 1, 1, 1, 2];
  return agrees('Split', [random(2, 13), int64(sizes)], {
    attributes: { axis: 1 },
    constants: [1],
    outputs: sizes.map((size) => ({ type: 'float32' as const, shape: [2, size] })),
  });
});

test('what shapes alone decide is no computation', async () => {
  const { nodes, outputs } = await runLowered({
    opType: 'Size',
    inputs: [random(2, 3)],
    outputs: [{ type: 'int64', shape: [] }],
  });
  expect(nodes.map((node) => node.opType)).toEqual(['Identity']);
  expect(Number(outputs[0]?.data[0])).toBe(6);
});

test('a custom op is not taken for one that is known by its name', async () => {
  const node = { opType: 'ReluGrad', domain: 'my.ops', inputs: [random(2), random(2)] };
  const lowered = runLowered({ ...node, outputs: [{ type: 'float32', shape: [2] }] });
  await expect(lowered).rejects.toThrow('my.ops.ReluGrad');
});

// ORT's kernel has one running sum, which is short by 1e-5 at a million elements.
test.each([[[512, 784]], [[1024, 1024]], [[131_074]]])(
  'the sum of squares of [%s] keeps its digits',
  async (dims) => {
    const x = map(random(...dims), (v) => 1 + v * 0.1);
    const exact = Array.from(x.data as Float32Array).reduce((sum, v) => sum + v * v, 0);
    await compare({
      opType: 'ReduceSumSquare',
      inputs: [x],
      attributes: { keepdims: 0 },
      outputs: [{ type: 'float32', shape: [] }],
      reference: [tensorOf('float32', [exact], [])],
      tolerance: 2e-6,
    });
  },
);
