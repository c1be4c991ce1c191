import { type Attributes, toAttributes, type Value } from '../../packages/core/src/graph/value.js';
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

/** Two of them lie partly outside of the image, one has no extent, and one is turned around. */
const boxes = fixed(
  'float',
  [0.4, 0.7, 3.3, 2.9, -1.6, 1.2, 2.1, 5.3, 2.2, -0.3, 6.1, 2.8, 1.5, 1.5, 1.5, 1.5, 3, 3, 1, 1],
  [5, 4],
);
const owners = fixed('int64', [1, 0, 1, 0, 1]);

function align(attributes: Attributes, rois: GradientCase['inputs'][number] = boxes): GradientCase {
  const { output_height = 1, output_width = 1 } = attributes;
  return {
    op: 'RoiAlign',
    inputs: [[2, 3, 5, 6], rois, owners],
    attributes,
    shape: [5, 3, Number(output_height), Number(output_width)],
    ...(rois !== boxes && { range: [0.1, 4.3] }),
  };
}

/** Many times as long as the image, ending in it or not, and one that misses it. */
const farBoxes = fixed(
  'float',
  [
    -17.4, 0.7, 3.3, 24.9, -31.6, -40.2, 52.1, 45.3, 2.2, -9.3, 6.1, 90.8, 1.5, 3.1, 77.5, 4.5, 9,
    8, 41, 30,
  ],
  [5, 4],
);

/** To the regions, too: where they lie is added to numbers that are drawn. */
function alignFar(attributes: Attributes): GradientCase {
  const { output_height = 1, output_width = 1 } = attributes;
  const shape = [5, 3, Number(output_height), Number(output_width)];
  return {
    op: 'RoiAlign of regions far beyond the image',
    inputs: [[2, 3, 5, 6], [5, 4], farBoxes, owners],
    attributes,
    build: (op, [image, moved, far, own], emit) => {
      const rois = op.Add(op.Mul(moved, 0.1), far);
      const options = { types: [{ type: moved?.type ?? 'float32', shape }] };
      return emit('RoiAlign', [image, rois, own], toAttributes(attributes), options)[0] as Value;
    },
  };
}

const nearRegions = [
  ...[0, 0, 0, 3, 3],
  ...[1, 1, 2, 5, 4],
  ...[1, -2.5, 0.5, 1.2, 2.7],
  ...[0, 2, 2, 2, 2],
  ...[0, 4, 4, 9, 9],
];
const farRegions = [
  ...[0, -30, 0, 3, 3],
  ...[1, 1, 2, 80, 4],
  ...[1, -70, -90, 81, 62],
  ...[0, 2, -20, 2, 2],
  ...[0, 9, 9, 40, 50],
];

function pool(
  pooled_shape: readonly number[],
  spatial_scale: number,
  rois: readonly number[] = nearRegions,
): GradientCase {
  return {
    op: 'MaxRoiPool',
    inputs: [[2, 3, 5, 6], fixed('float', rois, [5, 5])],
    attributes: { pooled_shape, spatial_scale },
    shape: [5, 3, ...pooled_shape],
  };
}

export const regions: readonly GradientCase[] = [
  ...['avg', 'max'].flatMap((mode) =>
    ['half_pixel', 'output_half_pixel'].flatMap((coordinate_transformation_mode) => {
      const kind = { mode, coordinate_transformation_mode };
      return [
        align({ ...kind, output_height: 2, output_width: 3, sampling_ratio: 2 }),
        align({ ...kind, output_height: 3, output_width: 2, spatial_scale: 0.75 }),
        align({ ...kind, output_height: 2, output_width: 2, sampling_ratio: 1 }, [5, 4]),
      ];
    }),
  ),
  align({}),
  ...['avg', 'max'].flatMap((mode) => [
    alignFar({ mode, output_height: 2, output_width: 3 }),
    alignFar({ mode, output_height: 7, output_width: 1, spatial_scale: 0.7 }),
  ]),
  pool([2, 2], 1),
  pool([3, 1], 0.8),
  pool([1, 4], 1.25),
  pool([2, 3], 1, farRegions),
  pool([7, 1], 0.9, farRegions),
];

/** Regions may lie any way round: of these ONNX Runtime's kernel refuses to count samples. */
export const turnedRegions: readonly GradientCase[] = ['avg', 'max'].flatMap((mode) =>
  ['half_pixel', 'output_half_pixel'].map((coordinate_transformation_mode) =>
    align({ mode, coordinate_transformation_mode, output_height: 1, output_width: 2 }, [5, 4]),
  ),
);

function deform(
  [image, filters, output]: readonly (readonly number[])[],
  attributes: Attributes,
  optional: 'bias' | 'mask' | 'both' | 'none' = 'none',
): GradientCase {
  const [batch = 1] = image ?? [];
  const [made = 1, , ...taps] = filters ?? [];
  const count = taps.reduce((a, b) => a * b, 1) * Number(attributes.offset_group ?? 1);
  const places = output ?? [];
  const bias = optional === 'bias' || optional === 'both' ? [made] : null;
  const mask = optional === 'mask' || optional === 'both' ? [[batch, count, ...places]] : [];
  return {
    op: 'DeformConv',
    inputs: [
      image ?? [],
      filters ?? [],
      [batch, count * taps.length, ...places],
      ...(bias === null && mask.length === 0 ? [] : [bias]),
      ...mask,
    ],
    attributes,
    shape: [batch, made, ...places],
  };
}

export const deformable: readonly GradientCase[] = [
  deform(
    [
      [1, 2, 4, 5],
      [3, 2, 2, 2],
      [3, 4],
    ],
    {},
  ),
  deform(
    [
      [2, 4, 5, 5],
      [4, 2, 3, 3],
      [3, 2],
    ],
    { group: 2, strides: [2, 3], pads: [1, 1, 1, 1] },
    'both',
  ),
  deform(
    [
      [2, 4, 5, 5],
      [2, 4, 2, 3],
      [4, 1],
    ],
    { offset_group: 2, dilations: [1, 2] },
    'mask',
  ),
  deform(
    [
      [1, 4, 3, 3],
      [2, 2, 1, 1],
      [5, 6],
    ],
    { group: 2, offset_group: 2, pads: [1, 2, 1, 1] },
    'bias',
  ),
];
