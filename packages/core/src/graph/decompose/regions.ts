import { tensorOf } from '../constants.js';
import { float, int, text, type Value } from '../value.js';
import { decompositions, type FormContext } from './decomposition.js';

/** Of no pixel at all. */
export const lowest = Number.NEGATIVE_INFINITY;

/** One axis of regions of interest. */
export interface Axis {
  /** Where regions begin, and how long they are, in pixels: [regions, 1, 1]. */
  readonly start: Value;
  readonly length: Value;
  /** How many bins a region has, and pixels the image. */
  readonly bins: number;
  readonly size: number;
}

/** Column i of a table of regions, from 0 on: [regions, 1, 1]. */
function column({ op }: FormContext, table: Value, i: number): Value {
  return op.reshape(op.slice(table, 1, i, i + 1), [table.shape[0] ?? 0, 1, 1]);
}

/** 0, 1, 2, ... along the last axis, or another of three. */
export function counting({ op }: FormContext, like: Value, count: number, axis = 2): Value {
  const shape = [1, 1, 1].with(axis, count);
  return op.constant(
    tensorOf(
      like.type,
      Array.from({ length: count }, (_, i) => i),
      shape,
    ),
  );
}

/** Regions reach from the first place to the second of (x1, y1, x2, y2), which begin at a column. */
export function axesOf(
  context: FormContext,
  table: Value,
  from: number,
  bins: readonly number[],
  measure: (start: Value, end: Value) => Pick<Axis, 'start' | 'length'>,
): readonly [Axis, Axis] {
  const scale = float(context.attributes, 'spatial_scale', 1);
  const sizes = context.x[0].shape.slice(2);
  const [rows, columns] = [0, 1].map((axis): Axis => {
    const [start, end] = [0, 2].map((far) =>
      context.op.Mul(column(context, table, from + 1 - axis + far), scale),
    ) as [Value, Value];
    return { ...measure(start, end), bins: bins[axis] ?? 1, size: sizes[axis] ?? 1 };
  }) as [Axis, Axis];
  return [rows, columns];
}

interface Samples {
  /** Places inside the image: [regions, bins, samples]. */
  readonly at: Value;
  /** What each counts in a sum over its bin: 0 outside of the image. */
  readonly share: Value;
  /** Whether there is such a sample, in the image or not; undefined: always. */
  readonly exists: Value | undefined;
}

/** Where ONNX Runtime's kernel takes its samples along one axis. Without a number of them there is one for each pixel of
 *  a bin, rounded up: up to those of a region twice as long as the image; what is longer becomes NaN. */
function samplesOf(context: FormContext, { start, length, bins, size }: Axis): Samples {
  const { op, attributes } = context;
  const given = int(attributes, 'sampling_ratio', 0);
  const bin = op.Div(length, bins);
  const most = given > 0 ? given : Math.ceil((2 * size) / bins);
  const wanted = given > 0 ? op.scalar(given, length.type) : op.Ceil(bin);
  const own = counting(context, start, most);
  const count = given > 0 ? wanted : op.Where(op.Less(wanted, 1), 1, wanted);
  const place = op.Add(
    op.Add(start, op.Mul(counting(context, start, bins, 1), bin)),
    op.Div(op.Mul(op.Add(own, 0.5), bin), count),
  );
  const inside = op.And(op.GreaterOrEqual(place, -1), op.LessOrEqual(place, size));
  const above = op.Where(op.LessOrEqual(place, 0), 0, place);
  const at = op.Where(op.GreaterOrEqual(above, size - 1), size - 1, above);
  const exists = given > 0 ? undefined : op.Less(own, wanted);
  const counted = exists === undefined ? inside : op.And(inside, exists);
  const divisor = given > 0 ? count : op.Where(op.Greater(count, most), Number.NaN, count);
  return { at, share: op.Div(op.cast(counted, start.type), divisor), exists };
}

/** Bilinear weights of all pixels of an axis, summed over the samples of each bin: [regions, bins, pixels]. */
function weightsOf(context: FormContext, axis: Axis): Value {
  const { op } = context;
  const { at, share } = samplesOf(context, axis);
  const open = (value: Value) => op.Unsqueeze(value, op.ints([3]));
  const pixels = counting(context, at, axis.size);
  const near = op.Relu(op.Sub(1, op.Abs(op.Sub(open(at), pixels))));
  return op.sum(op.Mul(near, open(share)), [2]);
}

/** The images by number, and that of each region: int32, looked up, as webgpu cannot cast what is int64. */
function imagesOf({ op, x }: FormContext) {
  const [image, , batches] = x;
  const counting = Array.from({ length: image.shape[0] ?? 0 }, (_, i) => i);
  const numbers = op.constant(tensorOf('int32', counting));
  return { numbers, own: op.Gather(numbers, batches) };
}

/** Rows weighted and added up over the images of the whole batch, then columns: two products of matrices. */
function average(context: FormContext, [rows, columns]: readonly [Axis, Axis]): Value {
  const { op, x } = context;
  const [image, rois] = x;
  const [batch = 0, channels = 0, height = 0, width = 0] = image.shape;
  const [regions = 0] = rois.shape;
  const across = weightsOf(context, rows);
  const { numbers, own } = imagesOf(context);
  const all = op.reshape(numbers, [batch, 1]);
  const mine = op.cast(op.Equal(op.reshape(own, [regions, 1, 1, 1]), all), image.type);
  const chosen = op.Mul(op.Unsqueeze(across, op.ints([2])), mine);
  const lines = op.reshape(op.transpose(image, [0, 2, 1, 3]), [batch * height, channels * width]);
  const summed = op.MatMul(op.reshape(chosen, [regions * rows.bins, batch * height]), lines);
  const opened = op.reshape(summed, [regions, rows.bins * channels, width]);
  const pooled = op.MatMul(opened, op.transpose(weightsOf(context, columns), [0, 2, 1]));
  const shaped = op.reshape(pooled, [regions, rows.bins, channels, columns.bins]);
  return op.transpose(shaped, [0, 2, 1, 3]);
}

/** The neighbours of the samples of an axis. */
interface Line {
  readonly pixel: Value;
  readonly weight: Value;
  /** 1 for samples that there are. */
  readonly exists: Value | undefined;
}

/** The largest share of any neighbour in any sample, as ONNX Runtime's kernel has it. */
function largest(context: FormContext, axes: readonly [Axis, Axis]): Value {
  const { op, x } = context;
  const [image, rois] = x;
  const [batch = 0, channels = 0, ...spatial] = image.shape;
  const [height = 0, width = 0] = spatial;
  const [regions = 0] = rois.shape;
  const [rows, columns] = axes.map((axis, i) => {
    const { at, share, exists } = samplesOf(context, axis);
    const below = op.Floor(at);
    const above = op.Where(op.Less(below, axis.size - 1), op.Add(below, 1), below);
    const rest = op.Sub(at, below);
    // Of what is divided by the number of samples only NaN and 0 are of use here.
    const valid = op.Div(share, op.Where(op.Equal(share, 0), 1, share));
    const both = (below: Value, above: Value) => {
      const joined = op.Concat(below, above, { axis: 2 });
      const [, own = 1, count = 1] = joined.shape;
      return op.reshape(
        joined,
        i === 0 ? [regions, own, 1, count, 1] : [regions, 1, own, 1, count],
      );
    };
    const one = exists && op.cast(exists, image.type);
    return {
      pixel: both(op.cast(below, 'int32'), op.cast(above, 'int32')),
      weight: both(op.Mul(op.Sub(1, rest), valid), op.Mul(rest, valid)),
      exists: one && both(one, one),
    };
  }) as [Line, Line];
  const start = op.reshape(op.Mul(imagesOf(context).own, height * width), [regions, 1, 1, 1, 1]);
  const places = op.Add(op.Add(op.Mul(rows.pixel, width), columns.pixel), start);
  const last = op.reshape(op.transpose(image, [0, 2, 3, 1]), [batch * height * width, channels]);
  const met = op.Gather(last, places, { axis: 0 });
  const weight = op.Unsqueeze(op.Mul(rows.weight, columns.weight), op.ints([5]));
  const shares = op.Mul(met, weight);
  const exists =
    rows.exists &&
    columns.exists &&
    op.Greater(op.Unsqueeze(op.Mul(rows.exists, columns.exists), op.ints([5])), 0);
  const asked = exists ? op.Where(exists, shares, lowest) : shares;
  const most = op.ReduceMax(asked, op.ints([3, 4]), { keepdims: 0 });
  // A region without extent has no samples.
  const found = exists ? op.Where(op.Equal(most, lowest), 0, most) : most;
  return op.transpose(found, [0, 3, 1, 2]);
}

function roiAlign(context: FormContext): readonly Value[] {
  const { op, x, attributes } = context;
  const bins = ['output_height', 'output_width'].map((name) => int(attributes, name, 1));
  const half = text(attributes, 'coordinate_transformation_mode', 'half_pixel') === 'half_pixel';
  const axes = axesOf(context, x[1], 0, bins, (start, end) => {
    const length = op.Sub(end, start);
    return half
      ? { start: op.Sub(start, 0.5), length }
      : { start, length: op.Where(op.Less(length, 1), 1, length) };
  });
  const mode = text(attributes, 'mode', 'avg');
  return [mode === 'max' ? largest(context, axes) : average(context, axes)];
}

export const regions = decompositions({ RoiAlign: roiAlign });
