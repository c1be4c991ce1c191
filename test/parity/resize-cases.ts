import type { Attributes } from '../../packages/core/src/graph/value.js';
import { fixed, type GradientCase, ints } from '../support/check-gradients.js';

const float = (...values: readonly number[]) => fixed('float', values);

function resize(
  shape: readonly number[],
  target: { readonly scales?: readonly number[]; readonly sizes?: readonly number[] },
  attributes: Attributes = {},
  region?: readonly number[],
): GradientCase {
  const { scales, sizes } = target;
  return {
    op: 'Resize',
    inputs: [
      shape,
      region ? float(...region) : null,
      scales ? float(...scales) : null,
      ...(sizes ? [ints(...sizes)] : []),
    ],
    attributes,
    // Its scales, and much of its arithmetic, are float32.
    precision: 'float32',
  };
}

const coordinates = [
  'half_pixel',
  'half_pixel_symmetric',
  'pytorch_half_pixel',
  'asymmetric',
  'align_corners',
];
const image = [2, 2, 5, 4];
const targets = [
  { scales: [1, 1, 2, 3] },
  { scales: [1, 1, 0.65, 1.5] },
  { sizes: [2, 2, 7, 2] },
  { sizes: [2, 2, 4, 1] },
];

export const resizing: readonly GradientCase[] = [
  ...coordinates.flatMap((coordinate_transformation_mode) =>
    targets.flatMap((target) => [
      ...['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'].map((nearest_mode) =>
        resize(image, target, { coordinate_transformation_mode, nearest_mode }),
      ),
      resize(image, target, { coordinate_transformation_mode, mode: 'linear' }),
      ...[0, 1].map((exclude_outside) =>
        resize(image, target, { coordinate_transformation_mode, mode: 'cubic', exclude_outside }),
      ),
    ]),
  ),
  resize(image, { scales: [1, 1, 2, 3] }, { mode: 'cubic', cubic_coeff_a: -0.5 }),
  resize([2, 3], { scales: [2, 2] }, { mode: 'linear' }),
  resize([1, 2, 4], { scales: [1, 1, 2.5] }, { mode: 'linear' }),
  resize([1, 1, 3, 4, 2], { scales: [1, 1, 2, 0.5, 2] }, { mode: 'linear' }),
  resize([1, 1, 3, 4, 2], { scales: [1, 1, 2, 0.5, 2] }, {}),
  resize(image, { scales: [2, 3] }, { axes: [2, 3], mode: 'linear' }),
  resize(image, { sizes: [8, 7] }, { axes: [-2, -1], mode: 'linear' }),
  ...['not_larger', 'not_smaller'].map((keep_aspect_ratio_policy) =>
    resize(image, { sizes: [9, 7] }, { axes: [2, 3], keep_aspect_ratio_policy, mode: 'linear' }),
  ),
  ...['linear', 'cubic'].map((mode) =>
    resize([1, 1, 9, 8], { scales: [1, 1, 0.4, 0.5] }, { mode, antialias: 1 }),
  ),
  resize([1, 1, 4, 4], { scales: [1, 1, 2, 2] }, { mode: 'linear', antialias: 1 }),
  ...['nearest', 'linear', 'cubic'].map((mode) =>
    resize(
      [1, 1, 6, 5],
      { sizes: [1, 1, 4, 4] },
      { mode, coordinate_transformation_mode: 'tf_crop_and_resize', extrapolation_value: 2 },
      [0, 0, 0.2, -0.1, 1, 1, 0.7, 0.8],
    ),
  ),
];
