import { expect, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { elementCount, type Value } from '../../packages/core/src/graph/value.js';
import type { Provider } from '../../packages/core/src/lowering/rule.js';
import { compare, expectClose, generator, int64, like, map } from '../support/compare.js';
import { convGradient } from '../support/conv-gradient.js';
import { type LoweredNode, runLowered } from '../support/lowering.js';
import { runOracleNode } from '../support/ort-training.js';
import { type Geometry, geometries, inputsFor, windowAt } from './lowering/convolution.js';

// What lowered ops keep to beyond the numbers that ./lowering.test.ts compares.
const random = generator(17);
const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const odd = tensorOf('float32', [-inf, -2.5, -1.5, -1, -0.5, 0, 0.5, 1.2, 1.5, 2.5, inf, nan]);
const number = (value: number) => tensorOf('float32', [value], []);

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

test('the definition agrees with ORT where its kernel can be trusted', async () => {
  const geometry = geometries.find(({ attributes }) => attributes?.group === 2) as Geometry;
  const inputs = inputsFor(geometry);
  const window = windowAt(geometry);
  const outputs = [like(inputs[1]), like(inputs[2]), { type: 'float32', shape: [6] } as const];
  const { pads, strides, dilations } = window;
  const attributes = { kernel_shape: [3, 3], pads, strides, dilations, group: 2 };
  const found = await runOracleNode({ opType: 'ConvGrad', inputs, attributes, outputs });
  expect(found).toHaveLength(outputs.length);
  convGradient(inputs, window, 2).forEach((wanted, i) => {
    const own = found[i]?.data as Float32Array;
    (wanted.data as Float32Array).forEach((value, at) => {
      expect(own[at]).toBeCloseTo(value, 4);
    });
  });
});

test('makes only what is asked for', async () => {
  const inputs = inputsFor({ x: [2, 3, 6, 6], w: [4, 3, 3, 3] });
  const { nodes } = await runLowered({
    opType: 'ConvGrad',
    inputs,
    outputs: [undefined, undefined, { type: 'float32', shape: [4] }],
  });
  expect(nodes.map((node) => node.opType)).toEqual(['ReduceSum']);
});

test('the bounds of a differentiated Slice must be known', async () => {
  const dy = random(2);
  const node = runLowered({
    opType: 'SliceGrad',
    inputs: [dy, int64([elementCount([4])]), int64([1]), int64([3])],
    constants: [1],
    outputs: [{ type: 'float32', shape: [4] }],
  });
  await expect(node).rejects.toThrow('depend on data');
});

/** -(y + a·x), with the product first or second; y is 0 - (-y), made by the graph itself. */
function scaledSum(
  shape: readonly number[],
  { provider = 'cpu', turned, made, kept, leaves }: ScaledSum = {},
) {
  const y = random(...shape);
  const [head, tail] = [y.data as Float32Array, odd.data as Float32Array];
  tail.forEach((value, i) => {
    head[i * 7] = value;
  });
  return {
    opType: leaves ? 'Add' : 'Neg',
    inputs: [map(y, (v) => -v), random(...shape), number(-0.37)],
    outputs: [like(y)],
    provider,
    before: ({ op }, values) => {
      const [minus, x, a] = values as [Value, Value, Value];
      const product = op.Mul(made ? op.Abs(x) : x, a);
      const own = kept ? minus : op.Sub(op.scalar(0), minus);
      const terms = turned ? [product, own] : [own, product];
      return leaves ? terms : [op.Add(...terms)];
    },
  } satisfies LoweredNode;
}

interface ScaledSum {
  readonly provider?: Provider;
  readonly turned?: boolean;
  /** Whether x is made by the graph. */
  readonly made?: boolean;
  /** Whether y is not. */
  readonly kept?: boolean;
  /** Whether the sum itself is what the graph is for. */
  readonly leaves?: boolean;
}

// 40,001 elements: the last ones fill no register.
test.each([
  { shape: [40001], turned: false },
  { shape: [256, 3, 64], turned: true },
])('a weight times a number is added in one pass ($shape)', async ({ shape, turned }) => {
  const given = scaledSum(shape, { turned });
  const { nodes, outputs } = await runLowered(given);
  expect(nodes.map((node) => node.opType)).toContain('FusedConv');
  expect(nodes.map((node) => node.opType)).not.toContain('Mul');
  const [y, x] = given.inputs.map((tensor) => tensor.data as Float32Array);
  const factor = Math.fround(-0.37);
  const plain = (y as Float32Array).map((v, i) => v - Math.fround(factor * (x?.[i] ?? 0)));
  const found = outputs[0]?.data as Float32Array;
  const errors = plain.map((v, i) =>
    Object.is(found[i], v) ? 0 : Math.abs((found[i] ?? nan) - v),
  );
  expect(outputs[0]?.dims).toEqual(shape);
  expect(errors.every((error) => error < 2 ** -22)).toBe(true);
});

test.each([
  ['few elements', scaledSum([1000])],
  ['a product that may be overwritten', scaledSum([40000], { made: true })],
  ['a sum that nothing may be overwritten for', scaledSum([40000], { kept: true })],
  ['a sum that is an output', scaledSum([40000], { leaves: true })],
  ['another provider', scaledSum([40000], { provider: 'wasm' })],
])('%s stays a product and a sum', async (_, given) => {
  const { nodes } = await runLowered(given);
  const operations = nodes.map((node) => node.opType);
  expect(operations.filter((opType) => ['Mul', 'Add', 'FusedConv'].includes(opType))).toEqual([
    'Mul',
    'Add',
  ]);
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
      reference: {
        by: 'definition',
        because: 'its one running sum is short of digits',
        outputs: [tensorOf('float32', [exact], [])],
      },
      tolerance: 2e-6,
    });
  },
);
