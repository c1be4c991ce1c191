import type { Attributes } from '../../packages/core/src/graph/value.js';
import { type GradientCase, ints } from '../support/check-gradients.js';

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
