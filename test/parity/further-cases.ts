import { tensorOf } from '../../packages/core/src/graph/constants.js';
import type { Attributes, Value } from '../../packages/core/src/graph/value.js';
import { fixed, type GradientCase, ints } from '../support/check-gradients.js';

type Inputs = GradientCase['inputs'];

function one(
  op: string,
  inputs: Inputs,
  attributes: Attributes = {},
  extra: Partial<GradientCase> = {},
) {
  return { op, inputs, attributes, ...extra } satisfies GradientCase;
}

const equations: readonly (readonly [string, ...(readonly number[])[]])[] = [
  ['ij,jk->ik', [2, 3], [3, 4]],
  ['ij,jk', [2, 3], [3, 4]],
  ['ij->ji', [2, 3]],
  ['ij->i', [2, 3]],
  ['ij->', [2, 3]],
  ['ba', [2, 3]],
  ['ii->i', [3, 3]],
  ['ii->', [3, 3]],
  ['iij->ij', [3, 3, 2]],
  ['ii,ij->j', [3, 3], [3, 2]],
  ['i,j->ij', [2], [3]],
  ['i,i->', [3], [3]],
  ['ij,kl->ik', [2, 3], [4, 2]],
  ['bij,bjk->bik', [2, 3, 4], [2, 4, 2]],
  ['bhqd,bhkd->bhqk', [1, 2, 3, 4], [1, 2, 2, 4]],
  ['...ij,...jk->...ik', [2, 3, 4], [2, 4, 2]],
  ['...ij,...jk', [2, 1, 2, 3], [1, 4, 3, 2]],
  ['...i->...', [2, 3, 4]],
  ['i...->...', [2, 3, 4]],
  ['ij,jk,kl->il', [2, 3], [3, 2], [2, 4]],
  ['a b , b c -> c a', [2, 3], [3, 4]],
  ['ij,ij->ij', [2, 3], [2, 3]],
  ['ij,jk->ik', [1, 1], [1, 1]],
];

export const einsum: readonly GradientCase[] = equations.map(([equation, ...shapes]) =>
  one('Einsum', shapes, { equation }),
);

const pools: readonly Attributes[] = [
  { kernel_shape: [2, 3] },
  { kernel_shape: [2, 2], strides: [2, 2] },
  { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [2, 1] },
  { kernel_shape: [3, 2], auto_pad: 'SAME_UPPER', strides: [2, 2] },
  { kernel_shape: [3, 2], auto_pad: 'SAME_LOWER' },
  { kernel_shape: [2, 2], dilations: [2, 1] },
  { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 },
];

/** In float32 a difference is taken over a distance that |x| may turn within. */
const awayFromKink = (p: number | undefined): Partial<GradientCase> =>
  p === 1 ? { range: [-2, -0.1] } : {};

export const norms: readonly GradientCase[] = [
  ...pools.flatMap((a) =>
    [undefined, 1, 2, 3].map((p) => one('LpPool', [[2, 3, 6, 5]], { ...a, p }, awayFromKink(p))),
  ),
  one('LpPool', [[1, 2, 7]], { kernel_shape: [3] }),
  one('LpPool', [[1, 2, 4, 3, 4]], { kernel_shape: [2, 2, 2] }),
  ...[undefined, 1, 3].flatMap((p) => [
    one('GlobalLpPool', [[2, 3, 4, 5]], { p }, awayFromKink(p)),
    one('GlobalLpPool', [[2, 3, 4]], { p }, awayFromKink(p)),
  ]),
];

/** Layer norms whose statistics go on into the loss. */
export const statistics: readonly GradientCase[] = [2, 3].flatMap((outputs) => [
  one('LayerNormalization', [[3, 4, 5], [5], [5]], {}, { outputs }),
  one(
    'LayerNormalization',
    [
      [3, 4, 5],
      [4, 5],
    ],
    { axis: 1, epsilon: 0.1 },
    { outputs },
  ),
]);

export const decomposed: readonly GradientCase[] = [
  one('MeanVarianceNormalization', [[2, 3, 4, 5]]),
  one('MeanVarianceNormalization', [[2, 3, 4, 5]], { axes: [0, 1, 2, 3] }),
  one('MeanVarianceNormalization', [[2, 3, 4]], { axes: [-1] }),
  ...[1, 3, 5, 9].map((size) =>
    one('LRN', [[2, 5, 3, 2]], { size, alpha: 0.3, beta: 0.6, bias: 1.5 }),
  ),
  one('LRN', [[1, 4, 3, 3]], { size: 3 }),
];

const reductions = ['mul', 'max', 'min'];
const places = fixed('int64', [0, 2, 0, 1, 0, 0], [3, 2]);

export const sequences: readonly GradientCase[] = [
  one('ReverseSequence', [[4, 3, 2], ints(4, 1, 3)]),
  one('ReverseSequence', [[3, 4], ints(2, 4, 1)], { batch_axis: 0, time_axis: 1 }),
  ...reductions.flatMap((reduction) => [
    one('ScatterElements', [[3, 4], places, [3, 2]], { axis: 1, reduction }),
    one('ScatterElements', [[3, 4], places, [3, 2]], { axis: 0, reduction }),
    one('ScatterND', [[4, 3], fixed('int64', [2, 0, 2], [3, 1]), [3, 3]], { reduction }),
    one('ScatterND', [[4, 3], fixed('int64', [2, 0, 0, 1, 2, 0], [3, 2]), [3]], { reduction }),
  ]),
];

/** Transforms of real and complex numbers, longer and shorter than the signal. */
export const spectral: readonly GradientCase[] = [1, 2].flatMap((parts) =>
  [undefined, 4, 5, 8].flatMap((length) => {
    const dft = (signal: readonly number[], attributes: Attributes, axis?: number) =>
      one(
        'DFT',
        [
          [...signal, parts],
          length === undefined ? null : fixed('int64', [length], []),
          ...(axis === undefined ? [] : [fixed('int64', [axis], [])]),
        ],
        attributes,
      );
    return [
      dft([2, 5], {}),
      dft([6, 2], { inverse: 1 }, 0),
      parts === 1
        ? dft([2, 6], { onesided: 1 }, 1)
        : dft([2, length === 8 ? 5 : 3], { onesided: 1, inverse: 1 }, -2),
    ];
  }),
);

/** Ops taken apart that ORT's kernel refuses as they are. */
export const beyondKernels: readonly GradientCase[] = [2, 4].map((size) =>
  one('LRN', [[2, 5, 3, 2]], { size, alpha: 0.3 }),
);

/** Factors of zero, whose gradient is the product of the others. */
export const zeroFactors: readonly GradientCase[] = [
  one('ScatterElements', [fixed('float', [0, 2, 3]), fixed('int64', [0, 1, 1]), [3]], {
    reduction: 'mul',
  }),
  one('ScatterElements', [[3], fixed('int64', [0, 1, 1]), fixed('float', [2, 0, 3])], {
    reduction: 'mul',
  }),
];

/** Products of a stack of matrices, one of them transposed, and a vector: ONNX Runtime fuses the transposition. */
export const vectorProducts: readonly GradientCase[] = [
  [3, 4],
  [2, 3, 4],
  [2, 1, 3, 4],
].flatMap((shape) => {
  const perm = shape.map((_, axis) => axis).toSpliced(-2, 2, shape.length - 1, shape.length - 2);
  return [
    {
      op: 'MatMul',
      inputs: [shape, [3]],
      build: (op, [m, v]) => op.MatMul(op.Transpose(m, { perm }), v),
    },
    {
      op: 'MatMul',
      inputs: [shape, [4]],
      build: (op, [m, v]) => op.MatMul(v, op.Transpose(m, { perm })),
    },
  ] satisfies GradientCase[];
});

/** Pads as PyTorch's exporter writes them: a chain of nodes turns the order of the axes around. */
export const computedPads: readonly GradientCase[] = ['constant', 'reflect', 'edge'].map(
  (mode) => ({
    op: 'Pad',
    inputs: [[1, 2, 4, 5]],
    build(op, [x]) {
      const missing = op.ConstantOfShape(op.ints([4]), { value: tensorOf('int64', [0]) });
      const pairs = op.Reshape(
        op.Concat(op.ints([1, 2, 0, 3]), missing, { axis: 0 }),
        op.ints([-1, 2]),
      );
      const bounds = [-1, Number.MIN_SAFE_INTEGER, 0, -1].map((bound) => op.ints([bound]));
      const turned = op.Transpose(op.Slice(pairs, ...bounds), { perm: [1, 0] });
      return op.Pad(x, op.Cast(op.Reshape(turned, op.ints([-1])), { to: 7 }), { mode });
    },
  }),
);

const scalar = (value: number) => fixed('int64', [value], []);

/** Frames of a signal, with and without a window; determinants; choices that are known. */
export const rare: readonly GradientCase[] = [
  ...[0, 1].flatMap((onesided) => [
    one('STFT', [[2, 11, 1], scalar(3), [5]], { onesided }, { shape: [2, 3, onesided ? 3 : 5, 2] }),
    one(
      'STFT',
      [[1, 9, 1], scalar(2), null, scalar(4)],
      { onesided },
      { shape: [1, 3, onesided ? 3 : 4, 2] },
    ),
    one(
      'STFT',
      [[2, 8, 1], scalar(8), [8], scalar(8)],
      { onesided },
      { shape: [2, 1, onesided ? 5 : 8, 2] },
    ),
  ]),
  ...[1, 2, 3, 4, 8].map((n) => one('Det', [[n, n]], {}, { shape: [] })),
  one('Det', [[2, 3, 3, 3]], {}, { shape: [2, 3] }),
  one('Det', [[2, 0, 0]], {}, { shape: [2] }),
  one('Compress', [[3, 4], fixed('bool', [1, 0, 1])], { axis: 0 }, { shape: [2, 4] }),
  one('Compress', [[3, 4], fixed('bool', [0, 1, 1])], { axis: -1 }, { shape: [3, 2] }),
  one('Compress', [[2, 3], fixed('bool', [0, 1, 0, 0, 1])], {}, { shape: [2] }),
];

/** Far from matrices that have none. */
export const inverses: readonly GradientCase[] = [[1], [3], [2, 4]].map((dims) => {
  const size = dims.at(-1) ?? 1;
  const shape = [...dims, size];
  const identity = Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 6 : 0));
  return {
    op: 'Inverse',
    inputs: [shape, fixed('float', identity, [size, size])],
    build: (op, x, emit) => {
      const given = op.Add(x[0], x[1]);
      const options = { domain: 'com.microsoft', types: [given] };
      return emit('Inverse', [given], {}, options)[0] as Value;
    },
  };
});

/** Of complex numbers the kernel weighs others than those that the window is for. */
export const complexFrames: readonly GradientCase[] = [
  one('STFT', [[2, 9, 2], scalar(2), [4]], { onesided: 0 }, { shape: [2, 3, 4, 2] }),
];
