import { tensorOf } from '../constants.js';
import { type Window, windowOf } from '../shapes/compute.js';
import { elementCount, int, type Value } from '../value.js';
import { decompositions, type FormContext } from './decomposition.js';
import { bilinearNeighbours } from './sampling.js';

/** Number `i` of a grid, along one of its axes. */
function along(dims: readonly number[], axis: number, i: number): number {
  return Math.floor(i / elementCount(dims.slice(axis + 1))) % (dims[axis] ?? 1);
}

/** Where the taps of a filter lie without their offsets: [taps, axes, points]. */
function tapPlaces(taps: readonly number[], window: Window): readonly number[] {
  const { strides, dilations, pads, output } = window;
  const counting = (dims: readonly number[]) => [...Array(elementCount(dims)).keys()];
  return counting(taps).flatMap((tap) =>
    taps.flatMap((_, axis) => {
      const start = along(taps, axis, tap) * (dilations[axis] ?? 1) - (pads[axis] ?? 0);
      return counting(output).map((i) => along(output, axis, i) * (strides[axis] ?? 1) + start);
    }),
  );
}

/** What each tap meets, between the pixels, as columns; then a product with the filters. */
function deformConv(context: FormContext): readonly Value[] {
  const { op, x, node, attributes } = context;
  const [image, filters, offset, bias, mask] = x;
  const has = (i: number) => (node.inputs[i] ?? '') !== '';
  const [batch = 0, channels = 0, ...spatial] = image.shape;
  const [made = 0, , ...taps] = filters.shape;
  const window = windowOf(attributes, spatial, taps);
  const { output } = window;
  const [groups, own] = [int(attributes, 'group', 1), int(attributes, 'offset_group', 1)];
  const axes = spatial.length;
  const [count, points, size] = [taps, output, spatial].map(elementCount) as [
    number,
    number,
    number,
  ];
  const still = tensorOf(image.type, tapPlaces(taps, window), [count, axes, points]);
  const moved = op.Add(op.reshape(offset, [batch * own, count, axes, points]), op.constant(still));
  const all = batch * own * count * points;
  const byAxis = op.reshape(op.transpose(moved, [2, 0, 1, 3]), [axes, all]);
  const reversed = op.Gather(byAxis, op.ints(spatial.map((_, i) => axes - 1 - i)), { axis: 0 });
  const places = op.reshape(reversed, [axes, 1, all]);
  const { pixels, weights } = bilinearNeighbours(op, places, spatial.toReversed());
  const near = pixels.shape[0] ?? 0;
  const [zero, end, step] = [0, batch * own * size, size].map((n) => op.scalar(n, 'int64'));
  const starts = op.reshape(op.cast(op.Range(zero, end, step), 'int32'), [batch * own, 1]);
  const numbers = op.Add(op.reshape(pixels, [near, batch * own, count * points]), starts);
  const depth = channels / own;
  const last = op.transpose(op.reshape(image, [batch * own, depth, size]), [0, 2, 1]);
  const met = op.Gather(op.reshape(last, [batch * own * size, depth]), numbers, { axis: 0 });
  const shares = op.reshape(weights as Value, [near, batch * own, count * points, 1]);
  const sampled = op.sum(op.Mul(met, shares), [0]);
  const counted = has(4)
    ? op.Mul(sampled, op.reshape(mask, [batch * own, count * points, 1]))
    : sampled;
  const columns = op.reshape(op.transpose(counted, [0, 2, 1]), [
    batch,
    groups,
    (channels / groups) * count,
    points,
  ]);
  const rows = op.reshape(filters, [groups, made / groups, (channels / groups) * count]);
  const sum = op.reshape(op.MatMul(rows, columns), [batch, made, ...output]);
  return [has(3) ? op.Add(sum, op.reshape(bias, [made, ...output.map(() => 1)])) : sum];
}

export const deformable = decompositions({ DeformConv: deformConv });
