import { type Attributes, toAttributes } from '../../packages/core/src/graph/value.js';
import { fixed, type GradientCase, ints } from '../support/check-gradients.js';

const paddings = ['zeros', 'border', 'reflection'];

function sample(
  image: readonly number[],
  output: readonly number[],
  attributes: Attributes,
): GradientCase {
  const grid = [image[0] ?? 0, ...output, image.length - 2];
  return { op: 'GridSample', inputs: [image, grid], attributes };
}

function affine(size: readonly number[], attributes: Attributes): GradientCase {
  const [batch = 0, , ...spatial] = size;
  const theta = [batch, spatial.length, spatial.length + 1];
  return { op: 'AffineGrid', inputs: [theta, ints(...size)], attributes };
}

/** Grids reach twice as far as the image. */
const planes = ['nearest', 'linear', 'cubic'].flatMap((mode) =>
  paddings.flatMap((padding_mode) =>
    [0, 1].flatMap((align_corners) => {
      const attributes = { mode, padding_mode, align_corners };
      return [
        sample([2, 3, 4, 5], [3, 4], attributes),
        ...(mode === 'cubic' ? [] : [sample([2, 2, 3, 4, 5], [2, 3, 2], attributes)]),
      ];
    }),
  ),
);

const blocks = (image: readonly number[], block: readonly number[], columns: number) => [
  [2, 3 * block.reduce((product, dim) => product * dim, 1), columns],
  ints(...image),
  ints(...block),
];

/** Crops and pads, blocks of columns, and pools undone. */
export const patches: readonly GradientCase[] = [
  ...[
    [3, 7],
    [6, 2],
    [5, 4],
    [2, 1],
  ].flatMap((target) => [
    { op: 'CenterCropPad', inputs: [[5, 4], ints(...target)] },
    { op: 'CenterCropPad', inputs: [[5, 2, 4], ints(...target)], attributes: { axes: [-1, 0] } },
  ]),
  { op: 'Col2Im', inputs: blocks([4, 5], [2, 3], 9) },
  { op: 'Col2Im', inputs: blocks([5, 5], [1, 5], 5) },
  {
    op: 'Col2Im',
    inputs: blocks([5, 6], [2, 3], 9),
    attributes: { strides: [2, 2], pads: [1, 0, 0, 1] },
  },
  {
    op: 'Col2Im',
    inputs: blocks([5, 7], [2, 3], 12),
    attributes: { dilations: [2, 1], strides: [1, 2], pads: [0, 1, 0, 1] },
  },
  { op: 'Col2Im', inputs: blocks([6], [3], 4) },
  {
    op: 'MaxUnpool',
    inputs: [[1, 2, 2, 2], fixed('int64', [1, 2, 12, 11, 17, 18, 24, 31], [1, 2, 2, 2])],
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
  },
  {
    op: 'MaxUnpool',
    inputs: [[1, 1, 2, 2], fixed('int64', [6, 8, 16, 24], [1, 1, 2, 2]), ints(1, 1, 5, 5)],
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
  },
  {
    op: 'MaxUnpool',
    inputs: [[1, 1, 3], fixed('int64', [0, 3, 4], [1, 1, 3])],
    attributes: { kernel_shape: [3] },
  },
];

/** Nobody wants the gradient of these. */
function frozen(
  op: string,
  inputs: GradientCase['inputs'],
  attributes: Attributes = {},
): GradientCase {
  return {
    op: `${op} of what does not train`,
    inputs,
    build: (builderOp, x, emit) => {
      const floats = x.filter(({ type }) => type.startsWith('float'));
      const given = x.map((value) => (floats.includes(value) ? builderOp.Floor(value) : value));
      const [y] = emit(op, given, toAttributes(attributes));
      return builderOp.Mul(y, builderOp.Sum(...floats.map((value) => builderOp.sum(value))));
    },
  };
}

export const frozenForms: readonly GradientCase[] = [
  frozen('GridSample', [
    [1, 2, 4, 4],
    [1, 3, 3, 2],
  ]),
  frozen('AffineGrid', [[2, 2, 3], ints(2, 1, 3, 4)]),
  frozen('CenterCropPad', [[5, 4], ints(3, 7)]),
  frozen('Col2Im', [[1, 4, 4], ints(3, 3), ints(2, 2)]),
];

export const sampling: readonly GradientCase[] = [
  ...planes,
  sample([1, 1, 2, 3], [5, 4], {}),
  sample([1, 2, 1, 4], [3, 3], { padding_mode: 'reflection' }),
  sample([1, 2, 1, 4], [3, 3], { padding_mode: 'border', align_corners: 1 }),
  sample([3, 2, 4, 4], [1, 1], { mode: 'cubic' }),
  sample([0, 2, 4, 4], [2, 3], {}),
  sample([2, 2, 4, 4], [0, 3], {}),
  ...[0, 1].flatMap((align_corners) => [
    affine([2, 3, 4, 5], { align_corners }),
    affine([2, 1, 2, 3, 4], { align_corners }),
  ]),
  ...[0, 1].map((align_corners) => affine([1, 3, 1, 4], { align_corners })),
];
