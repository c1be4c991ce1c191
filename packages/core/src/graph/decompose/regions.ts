import { int, text, type Value } from '../value.js';
import { decompositions, type FormContext } from './decomposition.js';
import { type Axis, axesOf, counting, imagesOf } from './region-axes.js';
import { largestOfAll, meanWeights } from './region-samples.js';

/** How many samples each bin has along an axis; 0: one for each of its pixels. */
const samplingRatio = ({ attributes }: FormContext) => int(attributes, 'sampling_ratio', 0);

interface Samples {
  /** Places inside the image: [regions, bins, samples]. */
  readonly at: Value;
  /** 1 for those in the image, 0 outside. */
  readonly inside: Value;
}

/** Where ONNX Runtime's kernel takes its samples along one axis. */
function samplesOf(context: FormContext, { start, length, bins, size }: Axis): Samples {
  const { op } = context;
  const count = samplingRatio(context);
  const bin = op.Div(length, bins);
  const place = op.Add(
    op.Add(start, op.Mul(counting(context, start, bins, 1), bin)),
    op.Div(op.Mul(op.Add(counting(context, start, count), 0.5), bin), count),
  );
  const inside = op.And(op.GreaterOrEqual(place, -1), op.LessOrEqual(place, size));
  const above = op.Where(op.LessOrEqual(place, 0), 0, place);
  const at = op.Where(op.GreaterOrEqual(above, size - 1), size - 1, above);
  return { at, inside: op.cast(inside, start.type) };
}

/** Bilinear weights of all pixels of an axis in the mean over each bin: [regions, bins, pixels]. */
function weightsOf(context: FormContext, axis: Axis): Value {
  const { op } = context;
  const count = samplingRatio(context);
  if (count <= 0) return meanWeights(context, axis);
  const { at, inside } = samplesOf(context, axis);
  const open = (value: Value) => op.Unsqueeze(value, op.ints([3]));
  const pixels = counting(context, at, axis.size);
  const near = op.Relu(op.Sub(1, op.Abs(op.Sub(open(at), pixels))));
  return op.Div(op.sum(op.Mul(near, open(inside)), [2]), count);
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
}

/** The largest share of any neighbour in any sample, as ONNX Runtime's kernel has it. */
function largest(context: FormContext, axes: readonly [Axis, Axis]): Value {
  const { op, x } = context;
  const [image, rois] = x;
  const [batch = 0, channels = 0, ...spatial] = image.shape;
  const [height = 0, width = 0] = spatial;
  const [regions = 0] = rois.shape;
  const [rows, columns] = axes.map((axis, i) => {
    const { at, inside } = samplesOf(context, axis);
    const below = op.Floor(at);
    const above = op.Where(op.Less(below, axis.size - 1), op.Add(below, 1), below);
    const rest = op.Sub(at, below);
    const both = (below: Value, above: Value) => {
      const joined = op.Concat(below, above, { axis: 2 });
      const [, own = 1, count = 1] = joined.shape;
      return op.reshape(
        joined,
        i === 0 ? [regions, own, 1, count, 1] : [regions, 1, own, 1, count],
      );
    };
    return {
      pixel: both(op.cast(below, 'int32'), op.cast(above, 'int32')),
      weight: both(op.Mul(op.Sub(1, rest), inside), op.Mul(rest, inside)),
    };
  }) as [Line, Line];
  const start = op.reshape(op.Mul(imagesOf(context).own, height * width), [regions, 1, 1, 1, 1]);
  const places = op.Add(op.Add(op.Mul(rows.pixel, width), columns.pixel), start);
  const last = op.reshape(op.transpose(image, [0, 2, 3, 1]), [batch * height * width, channels]);
  const met = op.Gather(last, places, { axis: 0 });
  const weight = op.Unsqueeze(op.Mul(rows.weight, columns.weight), op.ints([5]));
  const most = op.ReduceMax(op.Mul(met, weight), op.ints([3, 4]), { keepdims: 0 });
  return op.transpose(most, [0, 3, 1, 2]);
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
  if (text(attributes, 'mode', 'avg') !== 'max') return [average(context, axes)];
  return [samplingRatio(context) > 0 ? largest(context, axes) : largestOfAll(context, axes)];
}

export const regions = decompositions({ RoiAlign: roiAlign });
