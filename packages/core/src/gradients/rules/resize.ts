import { GradwareError } from '../../errors.js';
import type { Op } from '../../graph/builder.js';
import { tensorOf } from '../../graph/constants.js';
import {
  elementCount,
  float,
  int,
  ints,
  normalizeAxis,
  text,
  type Value,
} from '../../graph/value.js';
import {
  type Interpolation,
  interpolationMatrix,
  isKnownCoordinate,
  repetition,
} from '../interpolation.js';
import { type GradientContext, known, rules } from '../rule.js';

const modes = ['nearest', 'linear', 'cubic'] as const;

/** The scale of each axis in `axes`: given, or from the sizes, which may be only bounds. */
function scalesOf(context: GradientContext, axes: readonly number[]): readonly number[] {
  const { x, y, has, attributes } = context;
  if (has(2)) return known(context, 2).map(Math.fround);
  const sizes = known(context, 3);
  const ratios = axes.map((axis, i) => (sizes[i] ?? 1) / (x[0].shape[axis] ?? 1));
  const policy = text(attributes, 'keep_aspect_ratio_policy', 'stretch');
  if (policy === 'not_larger') return ratios.map(() => Math.min(...ratios));
  if (policy === 'not_smaller') return ratios.map(() => Math.max(...ratios));
  return axes.map((axis) => (y.shape[axis] ?? 1) / (x[0].shape[axis] ?? 1));
}

function interpolations(context: GradientContext): ReadonlyMap<number, Interpolation> {
  const { x, y, attributes, node } = context;
  const { shape } = x[0];
  const axes = (ints(attributes, 'axes') ?? shape.map((_, axis) => axis)).map((axis) =>
    normalizeAxis(axis, shape.length),
  );
  const mode = modes.find((name) => name === text(attributes, 'mode', 'nearest'));
  const coordinates = text(attributes, 'coordinate_transformation_mode', 'half_pixel');
  if (mode === undefined || !isKnownCoordinate(coordinates))
    throw new GradwareError('NO_GRADIENT', `No gradient is known for this Resize`, {
      where: `node ${node.name}, mode ${text(attributes, 'mode', 'nearest')}, ${coordinates}`,
    });
  const scales = scalesOf(context, axes);
  const region = coordinates === 'tf_crop_and_resize' ? known(context, 1) : [];
  return new Map(
    axes.map((axis, i) => [
      axis,
      {
        input: shape[axis] ?? 0,
        output: y.shape[axis] ?? 0,
        scale: scales[i] ?? 1,
        mode,
        coordinates,
        nearest: text(attributes, 'nearest_mode', 'round_prefer_floor'),
        cubicCoefficient: float(attributes, 'cubic_coeff_a', -0.75),
        excludeOutside: int(attributes, 'exclude_outside', 0) !== 0,
        antialias: int(attributes, 'antialias', 0) !== 0,
        region: [region[i] ?? 0, region[i + axes.length] ?? 1],
      },
    ]),
  );
}

/** The transposed matrix applied along one axis; where elements were only repeated, their sum. */
function along(op: Op, dy: Value, axis: number, interpolation: Interpolation): Value {
  const { input, output } = interpolation;
  const matrix = interpolationMatrix(interpolation);
  const times = repetition(matrix, input, output);
  if (times === 1) return dy;
  const before = elementCount(dy.shape.slice(0, axis));
  const after = elementCount(dy.shape.slice(axis + 1));
  const shape = dy.shape.map((dim, a) => (a === axis ? input : dim));
  if (times !== undefined)
    return op.reshape(op.sum(op.reshape(dy, [before, input, times, after]), [2]), shape);
  if (after === 1) {
    const weights = op.constant(tensorOf(dy.type, Array.from(matrix), [output, input]));
    return op.reshape(op.MatMul(op.reshape(dy, [before, output]), weights), shape);
  }
  const transposed = Array.from({ length: input * output }, (_, i) => {
    const [row, column] = [Math.floor(i / output), i % output];
    return matrix[column * input + row] ?? 0;
  });
  const weights = op.constant(tensorOf(dy.type, transposed, [input, output]));
  return op.reshape(op.MatMul(weights, op.reshape(dy, [before, output, after])), shape);
}

export const resizing = rules({
  // Interpolation is linear, and a product of one matrix for each axis.
  Resize: (context) => [
    [...interpolations(context)].reduce(
      (gradient, [axis, interpolation]) => along(context.op, gradient, axis, interpolation),
      context.dy,
    ),
  ],
});
