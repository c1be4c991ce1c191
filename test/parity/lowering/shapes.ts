import { tensorOf } from '../../../packages/core/src/graph/constants.js';
import { sameShape } from '../../../packages/core/src/graph/value.js';
import {
  generator,
  int64,
  type LoweringCase,
  like,
  map,
  type Reference,
} from '../../support/compare.js';

const random = generator(16);
const number = (value: number, dims: readonly number[] = []) => tensorOf('float32', [value], dims);
const flag = (value: boolean, dims: readonly number[] = [1]) =>
  tensorOf('bool', [value ? 1 : 0], dims);
const float = (shape: readonly number[]) => ({ type: 'float32', shape }) as const;
type Dims = readonly number[];

const axes: readonly (readonly [Dims, Dims, Dims, Dims])[] = [
  [[2, 3, 4], [3, 1], [], [2, 0]],
  [[2, 3], [2, 3], [], []],
  [[1], [4, 5, 6], [2, 1, 0], []],
  [[5, 1, 3], [1, 4, 1], [1], [2, 0]],
];

const gradientAxes = axes.map(([a, b, first, second]): LoweringCase => {
  const node = {
    opType: 'BroadcastGradientArgs',
    inputs: [int64(a), int64(b)],
    constants: [0, 1],
    outputs: [first, second].map(({ length }) => ({ type: 'int64' as const, shape: [length] })),
    note: `${a} with ${b}`,
  };
  if (!sameShape(a, b)) return node;
  const outputs = [int64(first), int64(second)];
  const because = 'its kernel makes no empty outputs';
  return { ...node, reference: { by: 'definition', because, outputs } };
});

const reductions = (
  [
    [[0], 1, 0],
    [[-1, 0], 0, 0],
    [[1, 2], 1, 0],
    [[], 1, 1],
    [[], 0, 0],
  ] as const
).map(([list, keepdims, noop_with_empty_axes]): LoweringCase => {
  const every = list.length === 0 && noop_with_empty_axes === 0;
  const all = every ? [0, 1, 2] : list.map((axis) => (axis + 3) % 3);
  const shape = [2, 3, 4].flatMap((dim, axis) =>
    all.includes(axis) ? (keepdims ? [1] : []) : [dim],
  );
  return {
    opType: 'ReduceSumTraining',
    inputs: [random(2, 3, 4), int64(list)],
    attributes: { keepdims, noop_with_empty_axes },
    constants: [1],
    outputs: [float(shape)],
    note: `over ${list}`,
  };
});

const factors = [
  { factor: number(3), constants: [1] },
  { factor: number(0.25, [1]), constants: [1] },
  { factor: int64([48]), constants: [1] },
  { factor: number(1.7), constants: [] },
  { factor: tensorOf('int32', [5]), constants: [] },
];

const scales = [0, 1].flatMap((scale_down) =>
  factors.flatMap(({ factor, constants }) =>
    [[2, 3], []].map(
      (shape): LoweringCase => ({
        opType: 'Scale',
        inputs: [random(...shape), factor],
        attributes: { scale_down },
        constants,
        outputs: [float(shape)],
        note: `by ${factor.data}`,
      }),
    ),
  ),
);

const quotients = (
  [
    [
      [2, 3],
      [2, 3],
      [2, 3],
    ],
    [[2, 3], [3], [2, 3]],
    [[3], [2, 1], [2, 3]],
    [[], [2, 2], [2, 2]],
  ] as const
).map(([left, right, full]): LoweringCase => {
  const [a, b] = [random(...left), map(random(...right), (v) => v + 2)];
  const inputs = [random(...full), a, b];
  return { opType: 'DivGrad', inputs, outputs: [like(a), like(b)], tolerance: 4e-6 };
});

const products = (
  [
    [[2, 3, 4], [2, 4, 5], [2, 3, 5], {}],
    [[2, 4, 3], [2, 4, 5], [2, 3, 5], { transA: 1, alpha: 0.5 }],
    [[2, 3, 4], [2, 5, 4], [2, 3, 5], { transB: 1 }],
    [[3, 2, 4], [2, 4, 5], [2, 3, 5], { transBatchA: 1 }],
    [[4, 2, 3], [5, 2, 4], [2, 3, 5], { transBatchA: 1, transA: 1, transBatchB: 1, transB: 1 }],
  ] as const
).map(
  ([a, b, shape, attributes]): LoweringCase => ({
    opType: 'FusedMatMul',
    inputs: [random(...a), random(...b)],
    attributes,
    outputs: [float(shape)],
  }),
);

const onCuda = (outputs: Reference['outputs']): Reference => ({
  by: 'definition',
  because: 'its kernel is on CUDA only',
  outputs,
});
const factorsOf = { scale_0: 2, scale_1: -1.5, scale_2: 0.25 };
const weights = [2, -1.5, 0.25];

const scaled = [2, 3].flatMap((count): readonly LoweringCase[] => {
  const inputs = Array.from({ length: count }, () => random(2, 3));
  const [first = random(2, 3)] = inputs;
  const sum = map(first, (_, i) =>
    inputs.reduce((total, x, n) => total + Number(x.data[i]) * (weights[n] ?? 0), 0),
  );
  const each = weights.slice(0, count).map((weight) => map(first, (v) => v * weight));
  return [
    {
      opType: 'ScaledSum',
      inputs,
      attributes: factorsOf,
      outputs: [float([2, 3])],
      reference: onCuda([sum]),
    },
    {
      opType: 'BatchScale',
      inputs: [first],
      attributes: factorsOf,
      outputs: each.map((output) => like(output)),
      reference: onCuda(each),
    },
  ];
});

const triangles = [0, 1].flatMap((upper) =>
  [undefined, 1, -1].map(
    (k): LoweringCase => ({
      opType: 'Trilu',
      domain: 'com.microsoft',
      inputs: [random(2, 3, 4), ...(k === undefined ? [] : [int64([k], [])])],
      attributes: { upper },
      constants: [1],
      outputs: [float([2, 3, 4])],
      note: `k ${k}`,
    }),
  ),
);

const [buffer, value, passed] = [random(2, 3), random(2, 3), random(4)];

const accumulators: readonly LoweringCase[] = [
  ...[true, false].map((overwrite) => ({
    opType: 'InPlaceAccumulatorV2',
    inputs: [buffer, value, flag(overwrite)],
    outputs: [{ type: 'bool' as const, shape: [1] }, like(buffer)],
    note: overwrite ? 'overwriting' : 'adding',
  })),
  {
    opType: 'InPlaceAccumulatorV2',
    inputs: [buffer, value],
    outputs: [{ type: 'bool', shape: [1] }, like(buffer)],
  },
  {
    opType: 'InPlaceAccumulator',
    inputs: [buffer, value],
    outputs: [like(buffer)],
  },
  ...[true, false].map((update) => ({
    opType: 'InPlaceAccumulator',
    inputs: [buffer, value, flag(update)],
    outputs: [like(buffer)],
    note: update ? 'updating' : 'waiting',
    ...(!update && {
      reference: {
        by: 'definition',
        because: 'its kernel leaves the output unset, as it works in place',
        outputs: [buffer],
      },
    }),
  })),
  { opType: 'ZeroGradient', inputs: [buffer, flag(true)], outputs: [like(buffer)] },
  {
    opType: 'Group',
    inputs: [buffer, value],
    outputs: [{ type: 'bool', shape: [1] }],
    reference: {
      by: 'definition',
      because: 'its kernel and its schema differ about the shape',
      outputs: [flag(true)],
    },
  },
  {
    opType: 'PassThrough',
    inputs: [buffer, passed],
    outputs: [like(buffer), like(passed)],
    reference: {
      by: 'definition',
      because: 'the wasm build has no kernel',
      outputs: [buffer, passed],
    },
  },
  {
    opType: 'ReduceAllL2',
    inputs: [random(2, 3), random(5), random()],
    outputs: [float([])],
  },
  { opType: 'ReduceAllL2', inputs: [random(7, 3)], outputs: [float([])] },
];

const levels = tensorOf(
  'float32',
  [-3, -1.27, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1.26, 1.29, 9],
  [11],
);

const quantized: readonly LoweringCase[] = [
  ...(
    [
      [0.5, 0, {}],
      [0.01, 0, { quant_min: -127, quant_max: 127 }],
      [0.1, 12, {}],
    ] as const
  ).map(([scale, zero, attributes]) => ({
    opType: 'FakeQuant',
    inputs: [levels, number(scale), number(zero)],
    attributes,
    outputs: [like(levels), like(levels, 'bool')],
    note: `scale ${scale}, zero point ${zero}`,
  })),
  ...[[3], [2, 3]].map((shape) => ({
    opType: 'FakeQuantGrad',
    inputs: [random(...shape), map(random(...shape), (v) => (v > 0 ? 1 : 0))].map((x, i) =>
      i === 1 ? tensorOf('bool', Array.from(x.data, Number), shape) : x,
    ),
    outputs: [float(shape)],
  })),
];

export const shapes: readonly LoweringCase[] = [
  ...gradientAxes,
  ...reductions,
  ...scales,
  ...quotients,
  ...products,
  ...scaled,
  ...triangles,
];

export { accumulators, quantized };
