import type { Attributes, Value } from '../../packages/core/src/graph/value.js';
import { fixed, type GradientCase, ints } from '../support/check-gradients.js';

type Inputs = GradientCase['inputs'];
type Extra = Partial<Omit<GradientCase, 'op' | 'inputs' | 'attributes'>>;

function one(op: string, inputs: Inputs, attributes: Attributes = {}, extra: Extra = {}) {
  return { op, inputs, attributes, ...extra } satisfies GradientCase;
}

/** Every combination of the values of each attribute. */
function grid(choices: Readonly<Record<string, readonly Attributes[string][]>>): Attributes[] {
  return Object.entries(choices).reduce<Attributes[]>(
    (rows, [name, values]) =>
      rows.flatMap((row) =>
        values.map((value) => (value === undefined ? row : { ...row, [name]: value })),
      ),
    [{}],
  );
}

const degenerate: readonly (readonly number[])[] = [[2, 3], [], [1], [0], [2, 0, 3], [1, 1]];
const broadcasts: readonly (readonly [readonly number[], readonly number[]])[] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [[3], [2, 3]],
  [
    [2, 1, 4],
    [3, 1],
  ],
  [[], [2, 3]],
  [[2, 3], []],
  [[1], []],
  [
    [1, 3],
    [2, 1],
  ],
  [
    [0, 3],
    [1, 3],
  ],
  [[0, 3], [3]],
];

const unary = (op: string, attributes: Attributes = {}, extra: Extra = {}) =>
  degenerate.map((shape) => one(op, [shape], attributes, extra));
const binary = (op: string, extra: Extra = {}) =>
  broadcasts.map((shapes) => one(op, shapes, {}, extra));

export const arithmetic: readonly GradientCase[] = [
  ...[
    'Identity',
    'Neg',
    'Abs',
    'Exp',
    'Erf',
    'Sin',
    'Cos',
    'Atan',
    'Sinh',
    'Cosh',
    'Asinh',
  ].flatMap((op) => unary(op)),
  ...['Sqrt', 'Log', 'Reciprocal'].flatMap((op) => unary(op, {}, { range: [0.5, 3] })),
  ...['Tan', 'Asin', 'Acos', 'Atanh'].flatMap((op) => unary(op, {}, { range: [-0.8, 0.8] })),
  ...unary('Acosh', {}, { range: [1.5, 3] }),
  ...['Add', 'Sub', 'Mul', 'Min', 'Max', 'Sum', 'Mean'].flatMap((op) => binary(op)),
  ...['Div', 'Pow'].flatMap((op) => binary(op, { range: [0.5, 3] })),
  ...['Sum', 'Mean', 'Min', 'Max'].flatMap((op) => [
    one(op, [[2, 3]]),
    one(op, [[2, 3], [3], [2, 1]]),
  ]),
  ...[-1, 0, 0.5, 1, 2, 3].map((e) =>
    one('Pow', [[2, 3], fixed('float', [e], [])], {}, { range: [0.5, 2] }),
  ),
  ...[0, 1, 2, 3].map((e) => one('Pow', [[2, 3], fixed('float', [e], [])])),
  one('Pow', [[2, 3], fixed('float', [0, 1, 2])]),
  one('Mod', [[2, 3], [3]], { fmod: 1 }, { range: [0.7, 5] }),
  one('Clip', [[3, 4], fixed('float', [-0.5], []), fixed('float', [1], [])]),
  one('Clip', [[3, 4], null, fixed('float', [1], [])]),
  one('Clip', [[3, 4], fixed('float', [-0.5], [])]),
  one('Clip', [[3, 4]]),
  one('Clip', [[3, 4], fixed('float', [-0.5], []), []], {}, { range: [0, 1] }),
  one('Clip', [[3, 4], [], fixed('float', [3], [])]),
  one('Clip', [[0, 4], fixed('float', [-0.5], []), fixed('float', [1], [])]),
  one('Where', [fixed('bool', [1, 0, 1]), [2, 3], [2, 3]]),
  one('Where', [fixed('bool', [1, 0, 1, 0], [2, 1, 2]), [2], [3, 1]]),
  one('Where', [fixed('bool', [1, 0]), [], [2]]),
  one('Cast', [[2, 3]], { to: 11 }, { precision: 'float32' }),
  one('CastLike', [[2, 3], fixed('float', [0])]),
  {
    op: 'CastLike a double',
    inputs: [[2, 3]],
    precision: 'float32',
    build: (op, [x]) => op.CastLike(x as Value, op.scalar(0, 'float64')),
  },
  ...grid({ exclusive: [0, 1], reverse: [0, 1] }).map((a) =>
    one('CumSum', [[2, 3, 4], fixed('int64', [1], [])], a),
  ),
];

export const activations: readonly GradientCase[] = [
  ...['Relu', 'Sigmoid', 'Tanh', 'Selu', 'Softplus', 'Softsign', 'HardSwish', 'Mish'].flatMap(
    (op) => unary(op, {}, op === 'HardSwish' ? { range: [-5, 5] } : {}),
  ),
  ...[0.01, 0.2, 0, -0.5].map((alpha) => one('LeakyRelu', [[3, 4]], { alpha })),
  one('LeakyRelu', [[3, 4]]),
  ...unary('Gelu', { approximate: 'none' }),
  ...unary('Gelu', { approximate: 'tanh' }),
  one('Gelu', [[3, 4]], {}, { domain: 'com.microsoft' }),
  one('FastGelu', [[3, 4]]),
  one('FastGelu', [[2, 3, 4], [4]]),
  one('BiasGelu', [[2, 3, 4], [4]]),
  one('QuickGelu', [[3, 4]]),
  one('QuickGelu', [[3, 4]], { alpha: 1 }),
  ...[undefined, 0.3, 2].flatMap((alpha) => [
    one('Elu', [[3, 4]], { alpha }),
    one('Celu', [[3, 4]], { alpha }),
    one('ThresholdedRelu', [[3, 4]], { alpha }),
  ]),
  one('Selu', [[3, 4]], { alpha: 1.2, gamma: 0.7 }),
  one('HardSigmoid', [[3, 4]], {}, { range: [-5, 5] }),
  one('HardSigmoid', [[3, 4]], { alpha: 0.5, beta: 0.3 }),
  one('PRelu', [[2, 3], [3]]),
  one('PRelu', [
    [2, 3, 4, 4],
    [3, 1, 1],
  ]),
  one('PRelu', [[2, 3], []]),
  one('Shrink', [[3, 4]], {}, { precision: 'float32' }),
  one('Shrink', [[3, 4]], { lambd: 0.8, bias: 0.3 }, { precision: 'float32' }),
];

const matrixShapes: readonly (readonly [readonly number[], readonly number[]])[] = [
  [
    [2, 3],
    [3, 4],
  ],
  [[3], [3]],
  [[3], [3, 4]],
  [[2, 3], [3]],
  [
    [5, 2, 3],
    [3, 4],
  ],
  [[5, 2, 3], [3]],
  [[3], [5, 3, 4]],
  [
    [2, 3],
    [5, 3, 4],
  ],
  [
    [5, 2, 3],
    [5, 3, 4],
  ],
  [
    [5, 1, 2, 3],
    [4, 3, 2],
  ],
  [
    [1, 2, 3],
    [5, 3, 4],
  ],
  [
    [6, 5, 2, 3],
    [6, 5, 3, 4],
  ],
  [
    [1, 1],
    [1, 1],
  ],
  [
    [2, 1],
    [1, 3],
  ],
  [
    [0, 3],
    [3, 4],
  ],
  [
    [2, 3],
    [3, 0],
  ],
  [
    [0, 2, 3],
    [3, 4],
  ],
];

export const products: readonly GradientCase[] = [
  ...matrixShapes.map((shapes) => one('MatMul', shapes)),
  ...grid({
    transA: [undefined, 1],
    transB: [undefined, 1],
    alpha: [undefined, 0.5],
    beta: [undefined, 2],
  }).flatMap((a) =>
    [null, [4], [2, 1], [1], [], [2, 4]].map((c) =>
      one('Gemm', [a.transA ? [3, 2] : [2, 3], a.transB ? [4, 3] : [3, 4], ...(c ? [c] : [])], a),
    ),
  ),
  one('Gemm', [[0, 3], [3, 4], [4]]),
];

const convolution = (x: readonly number[], w: readonly number[], a: Attributes = {}) => [
  one('Conv', [x, w], a),
  one('Conv', [x, w, [w[0] ?? 0]], a),
];

export const convolutions: readonly GradientCase[] = [
  ...grid({
    strides: [undefined, [2, 2], [1, 3]],
    pads: [undefined, [1, 1, 1, 1], [0, 1, 2, 0]],
    dilations: [undefined, [2, 1]],
  }).flatMap((a) => convolution([2, 3, 7, 6], [4, 3, 3, 2], a)),
  ...['SAME_UPPER', 'SAME_LOWER', 'VALID'].flatMap((auto_pad) =>
    [
      [1, 1],
      [2, 2],
    ].flatMap((strides) => convolution([2, 2, 5, 6], [3, 2, 3, 2], { auto_pad, strides })),
  ),
  ...convolution([2, 4, 5, 5], [6, 2, 3, 3], { group: 2, pads: [1, 1, 1, 1] }),
  ...convolution([2, 4, 5, 5], [4, 1, 3, 3], { group: 4, strides: [2, 2] }),
  ...convolution([2, 4, 5, 5], [8, 1, 3, 3], { group: 4 }),
  ...convolution([2, 3, 9], [4, 3, 3], { strides: [2], pads: [1, 0] }),
  ...convolution([1, 2, 4, 5, 4], [3, 2, 2, 2, 2], { strides: [1, 2, 1] }),
  ...convolution([2, 3, 4, 4], [5, 3, 1, 1]),
  ...convolution([1, 1, 1, 1], [1, 1, 1, 1]),
  ...convolution([2, 3, 4, 4], [5, 3, 4, 4]),
  ...grid({
    strides: [undefined, [2, 2]],
    pads: [undefined, [1, 0, 0, 1]],
    dilations: [undefined, [1, 2]],
    output_padding: [undefined, [1, 0]],
  })
    .filter((a) => a.output_padding === undefined || a.strides !== undefined)
    .map((a) => one('ConvTranspose', [[2, 4, 4, 3], [4, 3, 3, 2], [3]], a)),
  one(
    'ConvTranspose',
    [
      [2, 4, 4, 3],
      [4, 3, 2, 2],
    ],
    { group: 2, strides: [2, 2] },
  ),
  one(
    'ConvTranspose',
    [
      [1, 2, 4, 4],
      [2, 3, 3, 3],
    ],
    { strides: [2, 2], auto_pad: 'SAME_UPPER' },
  ),
  one(
    'ConvTranspose',
    [
      [1, 2, 4, 4],
      [2, 3, 3, 3],
    ],
    { strides: [2, 2], auto_pad: 'SAME_LOWER' },
  ),
  one(
    'ConvTranspose',
    [
      [1, 2, 4, 4],
      [2, 3, 3, 3],
    ],
    { strides: [2, 2], output_shape: [8, 8] },
  ),
  one(
    'ConvTranspose',
    [
      [1, 2, 5],
      [2, 3, 3],
    ],
    { strides: [2] },
  ),
];

const windows = grid({
  strides: [undefined, [2, 2], [2, 1]],
  pads: [undefined, [1, 1, 1, 1], [1, 0, 0, 1]],
});

export const pooling: readonly GradientCase[] = [
  ...windows.flatMap((a) => [
    one('MaxPool', [[2, 3, 5, 6]], { kernel_shape: [2, 3], ...a }),
    one('AveragePool', [[2, 3, 5, 6]], { kernel_shape: [2, 3], ...a }),
    one('AveragePool', [[2, 3, 5, 6]], { kernel_shape: [2, 3], count_include_pad: 1, ...a }),
    one('AveragePool', [[2, 3, 6, 6]], { kernel_shape: [3, 3], ceil_mode: 1, ...a }),
    one('MaxPool', [[2, 3, 6, 6]], { kernel_shape: [3, 3], ceil_mode: 1, ...a }),
  ]),
  ...['SAME_UPPER', 'SAME_LOWER', 'VALID'].flatMap((auto_pad) => [
    one('MaxPool', [[2, 3, 5, 6]], { kernel_shape: [2, 3], auto_pad, strides: [2, 2] }),
    one('AveragePool', [[2, 3, 5, 6]], { kernel_shape: [2, 3], auto_pad, strides: [2, 2] }),
  ]),
  one('MaxPool', [[2, 3, 7, 7]], { kernel_shape: [2, 2], dilations: [2, 3] }),
  one('AveragePool', [[2, 3, 7, 7]], { kernel_shape: [2, 2], dilations: [2, 3] }),
  one('MaxPool', [[2, 3, 9]], { kernel_shape: [3], strides: [2] }),
  one('AveragePool', [[2, 3, 9]], { kernel_shape: [3], strides: [2] }),
  one('MaxPool', [[1, 2, 4, 4, 4]], { kernel_shape: [2, 2, 2], strides: [2, 2, 2] }),
  one('AveragePool', [[1, 2, 4, 4, 4]], { kernel_shape: [2, 2, 2], strides: [2, 2, 2] }),
  one('AveragePool', [[1, 2, 4, 4, 4]], { kernel_shape: [2, 2, 2] }),
  one('MaxPool', [[2, 3, 5, 6]], { kernel_shape: [2, 3], storage_order: 1 }),
  one('MaxPool', [[2, 3, 4, 4]], { kernel_shape: [1, 1] }),
  one('MaxPool', [[2, 3, 4, 4]], { kernel_shape: [4, 4] }),
  ...['GlobalAveragePool', 'GlobalMaxPool'].flatMap((op) =>
    [
      [2, 3, 4, 5],
      [2, 3, 4],
      [1, 2, 2, 3, 2],
      [2, 3, 1, 1],
    ].map((shape) => one(op, [shape])),
  ),
];

const blocks: readonly GradientCase[] = [
  ...['DCR', 'CRD'].map((mode) => one('DepthToSpace', [[2, 12, 2, 3]], { blocksize: 2, mode })),
  one('SpaceToDepth', [[2, 3, 4, 6]], { blocksize: 2 }),
];

export const layout: readonly GradientCase[] = [
  ...blocks,
  ...[0, 1, 2, 3, -1].map((axis) => one('Flatten', [[2, 3, 4]], { axis })),
  one('Reshape', [[2, 3, 4], ints(4, -1)]),
  one('Reshape', [[2, 3, 4], ints(0, -1)]),
  one('Reshape', [[], ints(1, 1)]),
  one('Reshape', [[0, 3], ints(3, 0)], { allowzero: 1 }),
  one('Transpose', [[2, 3, 4]]),
  ...[
    [0, 2, 1],
    [1, 2, 0],
    [2, 0, 1],
  ].map((perm) => one('Transpose', [[2, 3, 4]], { perm })),
  one('Transpose', [[2, 0, 4]], { perm: [2, 0, 1] }),
  one('Squeeze', [[1, 3, 1], ints(0)]),
  one('Squeeze', [[1, 3, 1], ints(-1, 0)]),
  one('Squeeze', [[1, 3, 1]]),
  one('Unsqueeze', [[3, 2], ints(0, -1)]),
  one('Unsqueeze', [[], ints(0)]),
  ...[0, 1, -1].map((axis) =>
    one(
      'Concat',
      [
        [2, 3],
        [2, 3],
        [2, 3],
      ],
      { axis },
    ),
  ),
  one(
    'Concat',
    [
      [2, 1],
      [2, 0],
      [2, 4],
    ],
    { axis: 1 },
  ),
  one('Concat', [[2, 1]], { axis: 1 }),
  one('Split', [[6, 2], ints(1, 2, 3)]),
  one('Split', [[2, 7]], { axis: -1, num_outputs: 3 }),
  one('Split', [[2, 4], ints(4)], { axis: 1 }),
  one('Expand', [[3, 1], ints(2, 3, 4)]),
  one('Expand', [[], ints(2, 3)]),
  one('Expand', [[2, 3], ints(1)]),
  one('Expand', [[1, 3], ints(0, 3)]),
  one('Tile', [[2, 3], ints(2, 1)]),
  one('Tile', [[2, 3], ints(3, 2)]),
  one('Tile', [[2, 3], ints(1, 0)]),
  ...['constant', 'edge', 'reflect', 'wrap'].flatMap((mode) => [
    one('Pad', [[3, 4], ints(1, 2, 0, 1)], { mode }),
    one('Pad', [[2, 3, 4], ints(2, 1), null, ints(-1)], { mode }),
    one('Pad', [[3, 4], ints(0, 0, 0, 0)], { mode }),
  ]),
  one('Pad', [[3, 4], ints(1, 2, 0, 1), []]),
  one('Pad', [[3, 4], ints(-1, 2, 0, -1), []]),
];

const bounds = (starts: number[], ends: number[], axes?: number[], steps?: number[]) => [
  ints(...starts),
  ints(...ends),
  ...(axes ? [ints(...axes)] : []),
  ...(steps ? [ints(...steps)] : []),
];

const far = Number.MAX_SAFE_INTEGER;

export const indexing: readonly GradientCase[] = [
  ...[0, 1, -1].flatMap((axis) => [
    one('Gather', [[3, 4, 3], ints(0, 2, 2, -1)], { axis }),
    one('Gather', [[3, 4, 3], fixed('int64', [1], [])], { axis }),
    one('Gather', [[3, 4, 3], fixed('int64', [0, 1, 1, 2, 0, 0], [2, 3])], { axis }),
    one('Gather', [[3, 4, 3], fixed('int32', [2, 1])], { axis }),
  ]),
  one('Gather', [[3, 4], fixed('int64', [], [0])]),
  one('GatherElements', [[3, 2], fixed('int64', [0, 2, 1, 1, 2, 2, 0, -1], [4, 2])], { axis: 0 }),
  one('GatherElements', [[2, 3], fixed('int64', [0, 2, 1, 1], [2, 2])], { axis: 1 }),
  one('GatherND', [[3, 4], fixed('int64', [0, 1, 2, 3, 0, 1], [3, 2])]),
  one('GatherND', [[3, 4], fixed('int64', [0, 2, 2], [3, 1])]),
  one('GatherND', [[2, 3, 4], fixed('int64', [1, 2, 0, 0], [2, 2, 1])], { batch_dims: 1 }),
  one('Slice', [[4, 5], ...bounds([1], [3])]),
  one('Slice', [[4, 5], ...bounds([1, 0], [far, -1], [0, 1])]),
  one('Slice', [[4, 5], ...bounds([0], [far], [1], [2])]),
  one('Slice', [[4, 5], ...bounds([-1], [-far], [1], [-1])]),
  one('Slice', [[4, 5], ...bounds([-1, 3], [0, -far], [0, 1], [-2, -2])]),
  one('Slice', [[4, 5], ...bounds([2], [2], [1])]),
  ...['none', 'add'].flatMap((reduction) => [
    one('ScatterElements', [[3, 4], fixed('int64', [0, 2, 1, 0], [2, 2]), [2, 2]], {
      axis: 1,
      reduction,
    }),
    one('ScatterND', [[3, 4], fixed('int64', [0, 2], [2, 1]), [2, 4]], { reduction }),
  ]),
  one('ScatterElements', [[3, 4], fixed('int64', [1, 1], [1, 2]), [1, 2]], {
    axis: 1,
    reduction: 'add',
  }),
  one('TopK', [[3, 5], ints(2)], {}, { outputs: 2 }),
  one('TopK', [[5, 3], ints(2)], { axis: 0, largest: 0 }, { outputs: 2 }),
  one('Trilu', [[3, 4]]),
  one('Trilu', [[2, 3, 4], fixed('int64', [1], [])], { upper: 0 }),
  one('Trilu', [[4, 4], fixed('int64', [-1], [])], { upper: 1 }),
];

const reductionOps = [
  ...['Sum', 'Mean', 'Max', 'Min', 'L1', 'L2', 'SumSquare', 'LogSumExp', 'Prod'].map((name) => ({
    op: `Reduce${name}`,
    range: [-2, 2] as const,
  })),
  { op: 'ReduceLogSum', range: [0.5, 2] as const },
];

export const reductions: readonly GradientCase[] = reductionOps.flatMap(({ op, range }) => [
  ...[undefined, 0, 1].flatMap((keepdims) =>
    [null, ints(0), ints(1), ints(-1, 0), ints(0, 1, 2)].map((axes) =>
      one(op, [[2, 3, 4], ...(axes ? [axes] : [])], { keepdims }, { range }),
    ),
  ),
  one(op, [[2, 1, 3], ints(1)], {}, { range }),
  one(op, [[5]], { keepdims: 0 }, { range }),
  one(op, [[1]], {}, { range }),
]);

export const noops: readonly GradientCase[] = ['ReduceSum', 'ReduceMean', 'ReduceMax'].flatMap(
  (op) => [
    one(op, [[2, 3]], { noop_with_empty_axes: 1 }),
    one(op, [[2, 3], fixed('int64', [], [0])], { noop_with_empty_axes: 1 }),
    one(op, [[2, 3], fixed('int64', [], [0])]),
  ],
);

const labels = (values: readonly number[], dims?: readonly number[]) =>
  fixed('int64', values, dims);

export const classification: readonly GradientCase[] = [
  ...['Softmax', 'LogSoftmax'].flatMap((op) => [
    ...[undefined, 0, 1, -2].map((axis) => one(op, [[2, 3, 4]], { axis })),
    one(op, [[3, 1]]),
    one(op, [[1]]),
    one(op, [[4]], { axis: 0 }),
  ]),
  ...['mean', 'sum', 'none', undefined].flatMap((reduction) => [
    ...[undefined, 1, -100].flatMap((ignore_index) =>
      [false, true].flatMap((weighted) => {
        const weight = weighted ? [fixed('float', [0.5, 1, 2, 0.3, 1.5])] : [];
        const a = { reduction, ignore_index };
        return [
          one('SoftmaxCrossEntropyLoss', [[4, 5], labels([0, 3, 1, 4]), ...weight], a),
          one(
            'SoftmaxCrossEntropyLoss',
            [[2, 5, 3], labels([0, 3, 1, 4, 2, 1], [2, 3]), ...weight],
            a,
          ),
          one('NegativeLogLikelihoodLoss', [[4, 5], labels([0, 3, 1, 4]), ...weight], a),
          one(
            'NegativeLogLikelihoodLoss',
            [[2, 5, 3], labels([0, 3, 1, 4, 2, 1], [2, 3]), ...weight],
            a,
          ),
        ];
      }),
    ),
    one('SoftmaxCrossEntropyLoss', [[4, 5], labels([0, 3, 1, 4])], { reduction }, { outputs: 2 }),
    one('SoftmaxCrossEntropyLoss', [[2, 3, 2, 2], labels([0, 1, 2, 0, 1, 2, 0, 1], [2, 2, 2])], {
      reduction,
    }),
  ]),
];

export const normalization: readonly GradientCase[] = [
  ...[-1, 1, -2].flatMap((axis) => {
    const shape = axis === -1 ? [5] : [4, 5];
    return [
      one('LayerNormalization', [[3, 4, 5], shape, shape], { axis }),
      one('LayerNormalization', [[3, 4, 5], shape], { axis, epsilon: 0.1 }),
    ];
  }),
  one('LayerNormalization', [[3, 5], [5], [5]]),
  one('SimplifiedLayerNormalization', [[3, 4, 5], [5]], { axis: -1, epsilon: 1e-5 }),
  one('InstanceNormalization', [[2, 3, 4, 5], [3], [3]]),
  one('InstanceNormalization', [[2, 3, 6], [3], [3]], { epsilon: 0.01 }),
  one('GroupNormalization', [[2, 6, 4, 3], [6], [6]], { num_groups: 2 }, { precision: 'float32' }),
  one(
    'GroupNormalization',
    [[2, 6, 4], [6], [6]],
    { num_groups: 6, epsilon: 0.01 },
    { precision: 'float32' },
  ),
  ...[undefined, 1].flatMap((training_mode) =>
    [
      [4, 3],
      [2, 3, 4],
      [2, 3, 4, 2],
    ].map((shape) =>
      one(
        'BatchNormalization',
        [shape, [3], [3], fixed('float', [0.1, -0.2, 0.3]), fixed('float', [0.5, 1.5, 1])],
        { training_mode, epsilon: 1e-3 },
      ),
    ),
  ),
  // Statistics that are computed, or train.
  ...[
    [4, 3],
    [2, 3, 4, 2],
  ].map((shape) =>
    one('BatchNormalization', [shape, [3], [3], [3], [3]], { epsilon: 1e-3 }, { range: [0.3, 2] }),
  ),
  ...[1, 2].flatMap((p) => [0, -1].map((axis) => one('LpNormalization', [[3, 4]], { p, axis }))),
];

const image: readonly number[] = [2, 1, 12, 12];
const targets = labels([1, 3]);

/** Whole models: what the gradients of single ops become when they are put together. */
export const models: readonly GradientCase[] = [
  {
    op: 'a perceptron with cross entropy',
    inputs: [[4, 5], [5, 8], [8], [8, 6], [6], [6, 3], [3], labels([0, 2, 1, 2])],
    range: [-0.8, 0.8],
    build(op, [x, w1, b1, w2, b2, w3, b3, truth]) {
      const first = op.Tanh(op.Gemm(x, w1, b1));
      const second = op.Sigmoid(op.Add(op.MatMul(first, w2), b2));
      return last(op.SoftmaxCrossEntropyLoss(op.Gemm(second, w3, b3), truth));
    },
  },
  {
    op: 'a LeNet with cross entropy',
    inputs: [image, [3, 1, 3, 3], [3], [4, 3, 3, 3], [4], [16, 10], [10], [10, 4], [4], targets],
    range: [-0.5, 0.5],
    build(op, [x, k1, c1, k2, c2, w1, b1, w2, b2, truth]) {
      const pool = { kernel_shape: [2, 2], strides: [2, 2] };
      const one = last(op.MaxPool(op.Softplus(op.Conv(x, k1, c1)), pool));
      const two = op.AveragePool(op.Tanh(op.Conv(one, k2, c2)), {
        kernel_shape: [2, 2],
        strides: [1, 1],
      });
      const flat = op.Flatten(two);
      const hidden = op.Relu(op.Gemm(flat, w1, b1));
      return last(op.SoftmaxCrossEntropyLoss(op.Gemm(hidden, w2, b2), truth));
    },
  },
  {
    op: 'a residual block with batch normalisation',
    inputs: [
      [2, 3, 4, 4],
      [3, 3, 3, 3],
      [3],
      [3],
      fixed('float', [0, 0, 0]),
      fixed('float', [1, 1, 1]),
    ],
    build(op, [x, k, scale, bias, mean, variance]) {
      const conv = op.Conv(x, k, { pads: [1, 1, 1, 1] });
      const norm = last(
        op.BatchNormalization(conv, scale, bias, mean, variance, { training_mode: 1 }),
      );
      return op.GlobalAveragePool(op.Add(op.Sigmoid(norm), x));
    },
  },
  {
    op: 'an attention head',
    inputs: [[2, 5, 8], [8, 12], [12], [4, 8], [8], [8]],
    range: [-1, 1],
    build(op, [x, wIn, bIn, wOut, scale, bias]) {
      const [q, k, v] = op.Split(op.Add(op.MatMul(x, wIn), bIn), { axis: -1, num_outputs: 3 });
      const scores = op.Mul(op.MatMul(q, op.Transpose(k, { perm: [0, 2, 1] })), 0.5);
      const mixed = op.MatMul(op.MatMul(op.Softmax(scores), v), wOut);
      return last(op.LayerNormalization(op.Add(mixed, x), scale, bias));
    },
  },
];

function last([first]: readonly Value[]): Value {
  if (first === undefined) throw new Error('the op has no output');
  return first;
}

const flag = (on: boolean) => fixed('bool', [on ? 1 : 0], []);

export const dropout: readonly GradientCase[] = [
  one('Dropout', [[4, 5]]),
  one('Dropout', [[4, 5], fixed('float', [0.4], []), flag(false)]),
  one('Dropout', [[4, 5], fixed('float', [0.4], []), flag(true)]),
  one('Dropout', [[4, 5], fixed('float', [0], []), flag(true)]),
  one('Dropout', [[4, 5], null, flag(true)]),
];
