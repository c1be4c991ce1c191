import { GradwareError } from '../../errors.js';
import type { Op } from '../builder.js';
import { tensorOf } from '../constants.js';
import { elementCount, int, text, type Value } from '../value.js';
import { decompositions, type FormContext } from './decomposition.js';

/** Of the neighbours of a place along one axis: how far from the whole number below it (or next to it), and what they
 *  count, as polynomials in the rest: c₀ + c₁t + c₂t² + ... */
interface Kernel {
  readonly offsets: readonly number[];
  readonly weights: readonly (readonly number[])[];
}

/** Keys' coefficient, as ONNX and PyTorch have it. */
const a = -0.75;

const kernels: Readonly<Record<string, Kernel>> = {
  nearest: { offsets: [0], weights: [[1]] },
  linear: {
    offsets: [0, 1],
    weights: [
      [1, -1],
      [0, 1],
    ],
  },
  cubic: {
    offsets: [-1, 0, 1, 2],
    weights: [
      [0, a, -2 * a, a],
      [1, 0, -(a + 3), a + 2],
      [0, -a, 2 * a + 3, -(a + 2)],
      [0, 0, a, -a],
    ],
  },
};

const paddings = ['zeros', 'border', 'reflection'] as const;

interface Sampling {
  readonly kernel: Kernel;
  readonly padding: (typeof paddings)[number];
  readonly alignCorners: boolean;
  /** The sizes of the image, in the order of the grid's coordinates: the last axis first. */
  readonly sizes: readonly number[];
}

function refuse({ node }: FormContext, problem: string): never {
  throw new GradwareError('NO_GRADIENT', `No gradient is known for ${node.opType} ${problem}`, {
    where: `node ${node.name}`,
    remedy: 'Export the model again, or keep the node and what it depends on frozen.',
  });
}

function samplingOf(context: FormContext): Sampling {
  const { x, attributes } = context;
  const [image, grid] = x;
  const sizes = image.shape.slice(2).reverse();
  const mode = text(attributes, 'mode', 'linear');
  const kernel = Object.hasOwn(kernels, mode) ? kernels[mode] : undefined;
  const name = text(attributes, 'padding_mode', 'zeros');
  const padding = paddings.find((each) => each === name);
  const fits = grid.shape.length === image.shape.length && grid.shape.at(-1) === sizes.length;
  if (kernel === undefined) refuse(context, `in mode "${mode}"`);
  if (padding === undefined) refuse(context, `with padding mode "${name}"`);
  if (!fits || grid.shape[0] !== image.shape[0] || image.shape.length < 3)
    refuse(context, `of [${image.shape}] at [${grid.shape}]`);
  const alignCorners = int(attributes, 'align_corners', 0) === 1;
  return { kernel, padding, alignCorners, sizes };
}

/** One number for each coordinate: [axes, 1, 1]. */
function perAxis(op: Op, like: Value, numbers: readonly number[]): Value {
  return op.constant(tensorOf(like.type, numbers, [numbers.length, 1, 1]));
}

/** From [-1, 1] to places in the image. */
function denormalize(op: Op, grid: Value, { alignCorners, sizes }: Sampling): Value {
  const halves = sizes.map((size) => (alignCorners ? size - 1 : size) / 2);
  const places = op.Mul(op.Add(grid, 1), perAxis(op, grid, halves));
  return alignCorners ? places : op.Sub(places, 0.5);
}

/** Thrown back at the borders, as often as it takes: along the middles of the outer pixels, or along their edges. */
function reflect(op: Op, places: Value, { alignCorners, sizes }: Sampling): Value {
  const edge = alignCorners ? 0 : -0.5;
  // Of an image of one pixel whose middle is its border nothing but that is left.
  const ranges = sizes.map((size) => Math.max(alignCorners ? size - 1 : size, 1e-3));
  const range = perAxis(op, places, ranges);
  const period = perAxis(
    op,
    places,
    ranges.map((each) => 2 * each),
  );
  const far = op.Abs(op.Sub(places, edge));
  const rest = op.Sub(far, op.Mul(op.Floor(op.Div(far, period)), period));
  return op.Add(op.Sub(range, op.Abs(op.Sub(rest, range))), edge);
}

/** Inside the image. At its border the gradient is 0, as in PyTorch; NaN stays. */
function clamp(op: Op, places: Value, { sizes }: Sampling): Value {
  const last = perAxis(
    op,
    places,
    sizes.map((size) => size - 1),
  );
  const above = op.Where(op.LessOrEqual(places, 0), 0, places);
  return op.Where(op.GreaterOrEqual(above, last), last, above);
}

function bringInside(op: Op, places: Value, sampling: Sampling): Value {
  if (sampling.padding === 'zeros') return places;
  return clamp(
    op,
    sampling.padding === 'border' ? places : reflect(op, places, sampling),
    sampling,
  );
}

/** Numbers of pixels that are there whatever the place is: NaN becomes 0. */
function indices(op: Op, places: Value, { sizes }: Sampling): Value {
  const last = perAxis(
    op,
    places,
    sizes.map((size) => size - 1),
  );
  const known = op.Where(op.Greater(places, 0), places, 0);
  return op.cast(op.Where(op.Less(known, last), known, last), 'int32');
}

/** What the neighbours count: polynomials in the rest, [axes, neighbours, places]. */
function weigh(op: Op, rest: Value, weights: Kernel['weights']): Value {
  const degree = (weights[0] ?? []).length - 1;
  const column = (power: number) =>
    op.constant(
      tensorOf(
        rest.type,
        weights.map((row) => row[power] ?? 0),
        [1, weights.length, 1],
      ),
    );
  let value: Value = column(degree);
  for (let power = degree - 1; power >= 0; power--)
    value = op.Add(op.Mul(value, rest), column(power));
  return value;
}

/** Something of each axis for every combination of neighbours: [neighbours, places] of all axes together. */
function combine(
  op: Op,
  all: Value,
  join: (total: Value, part: Value, axis: number) => Value,
): Value {
  const [axes = 1, count = 1, places = 0] = all.shape;
  const parts = axes === 1 ? [all] : op.Split(all, { axis: 0, num_outputs: axes });
  const open = parts.map((part, axis) => {
    const dims = Array.from({ length: axes }, (_, i) => (i === axis ? count : 1));
    return op.reshape(part, [...dims, places]);
  });
  const joined = open.reduce((total, part, axis) => (axis === 0 ? part : join(total, part, axis)));
  return op.reshape(joined, [count ** axes, places]);
}

/** 1 for what lies in the image, 0 elsewhere. */
function insideOf(op: Op, places: Value, { sizes }: Sampling): Value {
  const inside = op.And(op.Greater(places, -1), op.Less(places, perAxis(op, places, sizes)));
  return op.cast(inside, places.type);
}

export interface Neighbours {
  /** The number of each pixel in its image: int32 [neighbours, places]. */
  readonly pixels: Value;
  /** What each counts, likewise; undefined: 1. */
  readonly weights: Value | undefined;
}

/** The neighbours that lie in an image, and what they count in a bilinear (trilinear, ...) mean.
 *  @param places in pixels, [axes, 1, places], the last axis first
 *  @param sizes of the image, in the same order */
export function bilinearNeighbours(op: Op, places: Value, sizes: readonly number[]): Neighbours {
  const kernel = kernels.linear as Kernel;
  return neighboursOf(op, places, { kernel, padding: 'zeros', alignCorners: false, sizes });
}

/** @param raw places in pixels, [axes, 1, places] */
function neighboursOf(op: Op, raw: Value, sampling: Sampling): Neighbours {
  const { kernel, padding, sizes } = sampling;
  // The pixels are brought inside; with linear weights it may as well be the place, and is: at a border the gradient is
  // then PyTorch's.
  const linear = kernel === kernels.linear;
  const at = linear ? bringInside(op, raw, sampling) : raw;
  const nearest = kernel === kernels.nearest;
  const base = nearest ? op.Round(at) : op.Floor(at);
  const offsets = tensorOf(at.type, kernel.offsets, [1, kernel.offsets.length, 1]);
  const near = nearest ? base : op.Add(base, op.constant(offsets));
  const met = indices(op, linear ? near : bringInside(op, near, sampling), sampling);
  const strides = sizes.map((_, axis) => elementCount(sizes.slice(0, axis)));
  const pixels = combine(op, met, (total, part, axis) =>
    op.Add(total, op.Mul(part, strides[axis] ?? 1)),
  );
  const parts = [
    ...(nearest ? [] : [weigh(op, op.Sub(at, base), kernel.weights)]),
    ...(padding === 'zeros' ? [insideOf(op, near, sampling)] : []),
  ];
  if (parts.length === 0) return { pixels, weights: undefined };
  const own = parts.reduce((product, part) => op.Mul(product, part));
  return { pixels, weights: combine(op, own, (total, part) => op.Mul(total, part)) };
}

/** Y = Σ over the neighbours of each place of weight · pixel, the pixels taken as rows of all channels. */
function gridSample(context: FormContext): readonly Value[] {
  const { op, x } = context;
  const [image, grid] = x;
  const sampling = samplingOf(context);
  const [batch = 0, channels = 0, ...spatial] = image.shape;
  const output = grid.shape.slice(1, -1);
  const [axes, points, size] = [spatial.length, elementCount(output), elementCount(spatial)];
  const list = op.reshape(op.cast(grid, image.type), [batch * points, axes]);
  const columns = op.reshape(op.transpose(list, [1, 0]), [axes, 1, batch * points]);
  const { pixels, weights } = neighboursOf(op, denormalize(op, columns, sampling), sampling);
  const count = pixels.shape[0] ?? 0;
  const [zero, end, step] = [0, batch * size, size].map((n) => op.scalar(n, 'int64'));
  const starts = op.reshape(op.cast(op.Range(zero, end, step), 'int32'), [batch, 1]);
  const numbers = op.Add(op.reshape(pixels, [count, batch, points]), starts);
  const last = op.transpose(op.reshape(image, [batch, channels, size]), [0, 2, 1]);
  const met = op.Gather(op.reshape(last, [batch * size, channels]), numbers, { axis: 0 });
  const weighed = weights ? op.Mul(met, op.reshape(weights, [count, batch, points, 1])) : met;
  const sum = op.sum(weighed, [0]);
  return [op.reshape(op.transpose(sum, [0, 2, 1]), [batch, channels, ...output])];
}

/** Where the pixels of an image lie on its axis, between -1 and 1. A single one is at the end, as in ORT. */
function pixelCentres(size: number, alignCorners: boolean): readonly number[] {
  if (alignCorners && size === 1) return [1];
  return Array.from({ length: size }, (_, i) =>
    alignCorners ? (2 * i) / (size - 1) - 1 : (2 * i + 1) / size - 1,
  );
}

/** Every pixel of the image, as (x, y, 1) or (x, y, z, 1), times the matrix of each sample. */
function affineGrid(context: FormContext): readonly Value[] {
  const { op, x, attributes, constant } = context;
  const [theta] = x;
  const [batch = 0, , ...spatial] = constant(1) ?? refuse(context, 'whose size is not constant');
  const axes = spatial.length;
  if (theta.shape.join() !== [batch, axes, axes + 1].join())
    refuse(context, `of matrices [${theta.shape}] and size [${constant(1)}]`);
  const alignCorners = int(attributes, 'align_corners', 0) === 1;
  const centres = spatial.map((size) => pixelCentres(size, alignCorners));
  const pixels = centres.reduce<readonly (readonly number[])[]>(
    (rows, axis) => rows.flatMap((row) => axis.map((centre) => [centre, ...row])),
    [[1]],
  );
  const base = op.constant(tensorOf(theta.type, pixels.flat(), [pixels.length, axes + 1]));
  const grid = op.MatMul(base, op.transpose(theta, [0, 2, 1]));
  return [op.reshape(grid, [batch, ...spatial, axes])];
}

export const sampling = decompositions({
  AffineGrid: affineGrid,
  GridSample: gridSample,
});
