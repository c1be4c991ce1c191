import { ints, type Value } from '../value.js';
import { decompositions, type FormContext } from './decomposition.js';
import { type Axis, axesOf, counting, lowest } from './regions.js';

/** To the nearest whole number, halves away from 0. */
function rounded({ op }: FormContext, places: Value): Value {
  return op.Mul(op.Sign(places), op.Floor(op.Add(op.Abs(places), 0.5)));
}

/** The largest in each bin of each region, along the axis of the image that lies first.
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
  // Of regions up to twice as long as the image; what is longer becomes NaN.
  const most = Math.min(size, Math.ceil((2 * size) / bins) + 1);
  const place = op.Add(begin, counting(context, start, most));
  const near = op.Where(op.Less(place, size), place, size - 1);
  const number = op.cast(op.Add(near, op.Mul(first, size)), 'int32');
  const met = op.Gather(lines, number, { axis: 0 });
  const [left, right] = [place, end].map((value) => op.Unsqueeze(value, op.ints([3])));
  const there = op.Less(left, right);
  const found = op.ReduceMax(op.Where(there, met, lowest), op.ints([2]), { keepdims: 0 });
  return most === size
    ? found
    : op.Where(op.LessOrEqual(op.Sub(end, begin), most), found, Number.NaN);
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
