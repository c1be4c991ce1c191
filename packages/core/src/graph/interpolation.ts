import type { Op } from './builder.js';
import { tensorOf } from './constants.js';
import {
  elementCount,
  float,
  int,
  ints,
  normalizeAxis,
  type PlainAttributes,
  text,
  type Value,
} from './value.js';

/** Along one axis, how a Resize makes its output from its input. */
export interface Interpolation {
  readonly input: number;
  readonly output: number;
  /** Output by input, as the model gives it; not always output / input. */
  readonly scale: number;
  readonly mode: 'nearest' | 'linear' | 'cubic';
  readonly coordinates: string;
  readonly nearest: string;
  readonly cubicCoefficient: number;
  readonly excludeOutside: boolean;
  readonly antialias: boolean;
  /** Start and end of the region of interest, of `tf_crop_and_resize`. */
  readonly region: readonly [start: number, end: number];
}

type Coordinate = (at: number, axis: Interpolation) => number;

/** Float32 step by step, as ORT's kernels count: a nearest neighbour may hang on the last bit. */
const f = Math.fround;
const shifted = (at: number, scale: number) => f(f((at + 0.5) / scale) - 0.5);

/** Where an output element lies on the grid of the input. */
const coordinates: Readonly<Record<string, Coordinate>> = {
  half_pixel: (at, { scale }) => shifted(at, scale),
  half_pixel_symmetric: (at, { scale, input, output }) => {
    const offset = (input / 2) * (1 - output / (scale * input));
    return f(offset + (at + 0.5) / scale - 0.5);
  },
  pytorch_half_pixel: (at, { scale, output }) => (output > 1 ? shifted(at, scale) : 0),
  asymmetric: (at, { scale }) => f(at / scale),
  tf_half_pixel_for_nn: (at, { scale }) => f((at + 0.5) / scale),
  align_corners: (at, { input, output }) =>
    output === 1 ? 0 : f((at * (input - 1)) / (output - 1)),
  tf_crop_and_resize: (at, { input, output, region: [start, end] }) =>
    output > 1
      ? f(start * (input - 1) + f((at * (end - start) * (input - 1)) / (output - 1)))
      : f(0.5 * (start + end) * (input - 1)),
};

const roundings: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

const modes = ['nearest', 'linear', 'cubic'] as const;

/** The axes that a Resize names: all of them by default. */
export function resizedAxes(attributes: PlainAttributes, rank: number): readonly number[] {
  const axes = ints(attributes, 'axes') ?? Array.from({ length: rank }, (_, axis) => axis);
  return axes.map((axis) => normalizeAxis(axis, rank));
}

/** What the attributes of a Resize make of one axis; undefined for a mode that ONNX does not know. */
export function interpolationOf(
  attributes: PlainAttributes,
  axis: Pick<Interpolation, 'input' | 'output' | 'scale' | 'region'>,
): Interpolation | undefined {
  const mode = modes.find((name) => name === text(attributes, 'mode', 'nearest'));
  const name = text(attributes, 'coordinate_transformation_mode', 'half_pixel');
  if (mode === undefined || !Object.hasOwn(coordinates, name)) return undefined;
  return {
    ...axis,
    mode,
    coordinates: name,
    nearest: text(attributes, 'nearest_mode', 'round_prefer_floor'),
    cubicCoefficient: float(attributes, 'cubic_coeff_a', -0.75),
    excludeOutside: int(attributes, 'exclude_outside', 0) !== 0,
    antialias: int(attributes, 'antialias', 0) !== 0,
  };
}

/** Keys' cubic convolution. */
function cubic(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? a * (((x - 5) * x + 8) * x - 4) : 0;
}

type Weights = readonly (readonly [at: number, weight: number])[];

/** Neighbours of one output element and what each counts, before they are brought inside. */
function neighbours(x: number, axis: Interpolation): Weights {
  const { input, mode, nearest, cubicCoefficient } = axis;
  if (mode === 'nearest') return [[(roundings[nearest] ?? Math.floor)(x), 1]];
  if (mode === 'linear') {
    const inside = Math.min(Math.max(x, 0), input - 1);
    const low = Math.floor(inside);
    return [
      [low, 1 - (inside - low)],
      [low + 1, inside - low],
    ];
  }
  const low = Math.floor(x);
  return [-1, 0, 1, 2].map((i) => [low + i, cubic(x - low - i, cubicCoefficient)] as const);
}

/** A filter as wide as the pixels that fall together, as PIL shrinks images. */
function filtered(x: number, { scale, mode, cubicCoefficient }: Interpolation): Weights {
  const stretch = Math.max(1, 1 / scale);
  const support = (mode === 'cubic' ? 2 : 1) * stretch;
  const from = Math.floor(x - support + 1);
  const count = Math.floor(x + support) - from + 1;
  const weight = (distance: number) =>
    mode === 'cubic' ? cubic(distance, cubicCoefficient) : Math.max(0, 1 - Math.abs(distance));
  return Array.from(
    { length: count },
    (_, i) => [from + i, weight((x - from - i) / stretch)] as const,
  );
}

function normalized(weights: Weights): Weights {
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  return total === 0 ? weights : weights.map(([at, weight]) => [at, weight / total] as const);
}

/** The matrix of a Resize along one axis: [output, input], row by row. */
export function interpolationMatrix(axis: Interpolation): Float64Array {
  const { input, output, mode, excludeOutside, antialias } = axis;
  const matrix = new Float64Array(output * input);
  const crop = axis.coordinates === 'tf_crop_and_resize';
  for (let at = 0; at < output; at++) {
    const x = (coordinates[axis.coordinates] as Coordinate)(at, axis);
    // Outside of the image a crop has a constant.
    if (crop && (x < 0 || x > input - 1)) continue;
    const shrinks = antialias && mode !== 'nearest' && axis.scale < 1;
    const found = shrinks ? filtered(x, axis) : neighbours(x, axis);
    const counted =
      excludeOutside && mode !== 'nearest' ? found.filter(([i]) => i >= 0 && i < input) : found;
    for (const [i, weight] of mode === 'nearest' ? found : normalized(counted)) {
      const source = Math.min(Math.max(i, 0), input - 1);
      matrix[at * input + source] = (matrix[at * input + source] ?? 0) + weight;
    }
  }
  return matrix;
}

/** How many neighbours in the output repeat each element of the input, where it is the same number for all. */
export function repetition(matrix: Float64Array, input: number, output: number) {
  const times = output / input;
  if (!Number.isInteger(times)) return undefined;
  const repeats = matrix.every((weight, i) => {
    const [row, column] = [Math.floor(i / input), i % input];
    return weight === (Math.floor(row / times) === column ? 1 : 0);
  });
  return repeats ? times : undefined;
}

/** The gradient of a Resize along one axis: the transposed matrix applied to dY; where elements were only repeated,
 *  their sum. */
export function resizeBack(op: Op, dy: Value, axis: number, interpolation: Interpolation): Value {
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
