import type { Value } from '../value.js';
import type { FormContext } from './decomposition.js';
import { never } from './heads.js';
import { type Axis, counting, imagesOf } from './region-axes.js';

/** The samples of bins that have one for each of their pixels, rounded up, as they lie around the pixels of an axis. */
interface Samples {
  /** How near each is to the pixel, from 0 to 1: [regions, bins, pixels, few]. */
  readonly near: Value;
  /** Whether it is one of the bin, lies in the image, and has the pixel among its two neighbours. */
  readonly met: Value;
  /** How many there are: [regions, 1, 1]. */
  readonly count: Value;
  /** 1 where a sample lies beyond the middle of the outer pixels, or where there is none: [regions, bins, 1]. */
  readonly beyond: Value;
}

/** Samples lie at least half a pixel apart where there is more than one: within a pixel of each are no more than five, and
 *  one for what rounding may do. So regions may be as long as they like. */
const few = 6;

function samplesOf(context: FormContext, { start, length, bins, size }: Axis): Samples {
  const { op } = context;
  const open = (value: Value) => op.Unsqueeze(value, op.ints([3]));
  const bin = op.Div(length, bins);
  const wanted = op.Ceil(bin);
  const count = op.Where(op.Less(wanted, 1), 1, wanted);
  const step = op.Div(bin, count);
  const begin = op.Add(start, op.Mul(counting(context, start, bins, 1), bin));
  const pixels = counting(context, start, size);
  const apart = op.Where(op.Less(step, 0.5), 0.5, step);
  const first = op.Floor(op.Sub(op.Div(op.Sub(op.Sub(pixels, 1), begin), apart), 0.5));
  const from = op.Where(op.Less(first, 0), 0, first);
  const own = op.Add(open(from), counting(context, start, few, 3));
  const place = op.Add(open(begin), op.Mul(op.Add(own, 0.5), open(step)));
  const above = op.Where(op.LessOrEqual(place, 0), 0, place);
  const off = op.Sub(op.Where(op.GreaterOrEqual(above, size - 1), size - 1, above), open(pixels));
  const inside = op.And(op.GreaterOrEqual(place, -1), op.LessOrEqual(place, size));
  const beside = op.And(op.GreaterOrEqual(off, -1), op.Less(off, 1));
  const [low, high] = [op.Mul(step, 0.5), op.Mul(op.Sub(count, 0.5), step)];
  const all = op.And(
    op.Greater(op.Add(begin, low), 0),
    op.And(op.Less(op.Add(begin, high), size - 1), op.Greater(wanted, 0)),
  );
  return {
    near: op.Relu(op.Sub(1, op.Abs(off))),
    met: op.And(op.And(inside, beside), op.Less(own, open(wanted))),
    count,
    beyond: op.Sub(1, op.cast(all, start.type)),
  };
}

/** Bilinear weights of all pixels of an axis in the mean over each bin: [regions, bins, pixels]. */
export function meanWeights(context: FormContext, axis: Axis): Value {
  const { op } = context;
  const { near, met, count } = samplesOf(context, axis);
  return op.Div(op.sum(op.Where(met, near, 0), [3]), count);
}

/** The largest share of any neighbour in any sample. Of what is positive it is the one with the largest weights along both
 *  axes, of what is negative that with the smallest, so that one axis comes after the other. */
export function largestOfAll(context: FormContext, axes: readonly [Axis, Axis]): Value {
  const { op, x } = context;
  const [image, rois] = x;
  const [, channels = 0, height = 0, width = 0] = image.shape;
  const [regions = 0] = rois.shape;
  const least = never(image.type);
  const [rows, columns] = axes.map((axis, i) => {
    const { bins, size } = axis;
    const { near, met, beyond } = samplesOf(context, axis);
    const at = [3];
    const shaped = (value: Value, last: number) =>
      op.reshape(value, i === 0 ? [regions, bins, last, 1] : [regions, 1, bins, last]);
    return {
      bins,
      most: shaped(op.ReduceMax(op.Where(met, near, 0), op.ints(at), { keepdims: 0 }), size),
      fewest: shaped(op.ReduceMin(op.Where(met, near, 1), op.ints(at), { keepdims: 0 }), size),
      met: shaped(op.ReduceMax(op.cast(met, near.type), op.ints(at), { keepdims: 0 }), size),
      beyond: shaped(beyond, 1),
    };
  }) as [AxisOfAll, AxisOfAll];
  const own = op.Gather(op.transpose(image, [0, 2, 1, 3]), imagesOf(context).own, { axis: 0 });
  const lines = op.reshape(own, [regions, 1, height, channels * width]);
  const along = (axis: AxisOfAll, kind: 'most' | 'fewest', value: Value, at: number) => {
    const shares = op.Mul(value, axis[kind]);
    const asked = kind === 'most' ? shares : op.Where(op.Greater(axis.met, 0), shares, least);
    return op.ReduceMax(asked, op.ints([at]), { keepdims: 0 });
  };
  const [positive, any] = (['most', 'fewest'] as const).map((kind) => {
    const across = along(rows, kind, kind === 'most' ? op.Relu(lines) : lines, 2);
    const turned = op.reshape(across, [regions, rows.bins * channels, 1, width]);
    const pooled = along(columns, kind, turned, 3);
    return op.reshape(pooled, [regions, rows.bins, channels, columns.bins]);
  }) as [Value, Value];
  // Products in place of choices: ONNX Runtime pushes the Transpose through those, and webgpu transposes no booleans.
  const shut = op.Add(rows.beyond, op.reshape(columns.beyond, [regions, 1, 1, columns.bins]));
  const none = op.cast(op.Equal(op.Add(shut, positive), 0), image.type);
  return op.transpose(op.Add(positive, op.Mul(any, none)), [0, 2, 1, 3]);
}

interface AxisOfAll {
  readonly bins: number;
  readonly most: Value;
  readonly fewest: Value;
  readonly met: Value;
  readonly beyond: Value;
}
