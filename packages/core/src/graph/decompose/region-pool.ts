import { tensorOf } from '../constants.js';
import { ints, type Value } from '../value.js';
import { decompositions, type FormContext } from './decomposition.js';
import { type Axis, axesOf, counting } from './region-axes.js';

/** Of no pixel at all. */
const lowest = Number.NEGATIVE_INFINITY;

/** To the nearest whole number, halves away from 0. */
function rounded({ op }: FormContext, places: Value): Value {
  return op.Mul(op.Sign(places), op.Floor(op.Add(op.Abs(places), 0.5)));
}

/** The largest of every 1, 2, 4, ... lines of an image from each on, one kind after the other.
 *  @param lines [images · pixels, ...] */
function doubled({ op }: FormContext, lines: Value, size: number): readonly Value[] {
  const [all = 0] = lines.shape;
  const levels = [lines];
  for (let width = 1; 2 * width <= size; width *= 2) {
    const last = levels.at(-1) as Value;
    // What begins too late for its width is asked by nobody.
    const next = Array.from({ length: all }, (_, i) => Math.min(i + width, all - 1));
    levels.push(op.Max(last, op.Gather(last, op.constant(tensorOf('int32', next)), { axis: 0 })));
  }
  return levels;
}

/** The largest in each bin of each region, along the axis of the image that lies first: of two stretches of 2ⁿ pixels that
 *  cover the bin.
 *  @param lines [images · pixels, ...]
 *  @param first the number of the image, from 0, that each region looks at: float [regions, 1, 1]
 *  @returns [regions, bins, ...] */
function largestAlong(context: FormContext, lines: Value, first: Value, axis: Axis): Value {
  const { op } = context;
  const { start, length, bins, size } = axis;
  const bin = op.Div(length, bins);
  const own = counting(context, start, bins, 1);
  const inside = (place: Value) => {
    const above = op.Where(op.Less(place, 0), 0, place);
    return op.Where(op.Greater(above, size), size, above);
  };
  const begin = inside(op.Add(op.Floor(op.Mul(own, bin)), start));
  const end = inside(op.Add(op.Ceil(op.Mul(op.Add(own, 1), bin)), start));
  const count = op.Sub(end, begin);
  const levels = doubled(context, lines, size);
  const reached = levels.slice(1).map((_, i) => {
    const width = 2 ** (i + 1);
    return { width, wide: op.cast(op.GreaterOrEqual(count, width), start.type) };
  });
  const level = reached.reduce((sum, { wide }) => op.Add(sum, wide), op.scalar(0, start.type));
  const width = reached.reduce(
    (sum, { wide, width }) => op.Add(sum, op.Mul(wide, width / 2)),
    op.scalar(1, start.type),
  );
  const all = lines.shape[0] ?? 0;
  const table = levels.length === 1 ? lines : op.Concat(...levels, { axis: 0 });
  const met = (place: Value) => {
    const near = op.Where(op.Less(place, size), op.Where(op.Less(place, 0), 0, place), size - 1);
    const number = op.Add(op.Add(near, op.Mul(first, size)), op.Mul(level, all));
    return op.Gather(table, op.reshape(op.cast(number, 'int32'), number.shape.slice(0, 2)), {
      axis: 0,
    });
  };
  const found = op.Max(met(begin), met(op.Sub(end, width)));
  return op.Where(op.Greater(count, 0), found, lowest);
}

/** Rows first, then columns. */
function maxRoiPool(context: FormContext): readonly Value[] {
  const { op, x, attributes } = context;
  const [image, table] = x;
  const [batch = 0, channels = 0, height = 0, width = 0] = image.shape;
  const [regions = 0] = table.shape;
  const bins = ints(attributes, 'pooled_shape') ?? [1, 1];
  const [rows, columns] = axesOf(context, table, 1, bins, (from, to) => {
    const start = rounded(context, from);
    const length = op.Add(op.Sub(rounded(context, to), start), 1);
    return { start, length: op.Where(op.Less(length, 1), 1, length) };
  });
  const images = op.reshape(op.slice(table, 1, 0, 1), [regions, 1, 1]);
  const lines = op.reshape(op.transpose(image, [0, 2, 1, 3]), [batch * height, channels * width]);
  const across = op.reshape(largestAlong(context, lines, images, rows), [
    regions,
    rows.bins,
    channels,
    width,
  ]);
  const turned = op.transpose(across, [0, 3, 1, 2]);
  const stood = op.reshape(turned, [regions * width, rows.bins * channels]);
  const each = counting(context, images, regions, 0);
  const pooled = largestAlong(context, stood, each, columns);
  const shaped = op.reshape(pooled, [regions, columns.bins, rows.bins, channels]);
  // Before the Transpose: ONNX Runtime would push it through what compares, and webgpu transposes no booleans.
  const filled = op.Where(op.Equal(shaped, lowest), 0, shaped);
  return [op.transpose(filled, [0, 3, 2, 1])];
}

export const regionPools = decompositions({ MaxRoiPool: maxRoiPool });
