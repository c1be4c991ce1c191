import {
  constant,
  definePlugin,
  elementCount,
  nonNegative,
  type Op,
  oneOf,
  type Payload,
  type Prefix,
  packBits,
  setting,
  unpackBits,
  type Value,
} from '@gradware/core';

/** Below it float32 loses digits; a maximum that small counts as zero. */
const smallestNormal = 2 ** -126;
/** Up to here float32 counts without gaps. */
const exactCount = 2 ** 24;

type Relative = 'none' | 'max' | 'rms';

/** Keeps the elements whose absolute value is above a threshold; the others become zero.
 *  g ← g · [|g| > t]   (Strom 2015; with `relativeTo` t is a multiple of max |g|, or of sqrt(mean g²), of the tensor)
 *  What is sent: one bit for every element, and the elements that stay, as float32. */
export const threshold = definePlugin({
  name: 'threshold',
  description: 'Keeps the elements whose absolute value is above a threshold.',
  role: 'compress',
  options: {
    threshold: setting(nonNegative, 1e-3, 'the threshold'),
    relativeTo: constant(
      oneOf('none', 'max', 'rms'),
      'none',
      "what the threshold is a multiple of: nothing, or each tensor's maximum or root mean square",
    ),
  },
  transform(gradients, { op, metric }, { threshold: given, relativeTo }) {
    const masks = gradients.map((gradient) =>
      op.cast(isAbove(op, gradient, given, relativeTo), gradient.type),
    );
    metric('kept', shareOf(op, masks));
    return gradients.map((gradient, i) => op.Mul(gradient, masks[i]));
  },
  encode(gradient, { op }, { threshold: given, relativeTo }): Payload {
    const count = elementCount(gradient.shape);
    if (count === 0) return {};
    const above = op.reshape(isAbove(op, gradient, given, relativeTo), [count]);
    const mask = op.cast(above, 'float32');
    const kept = op.Where(above, op.reshape(gradient, [count]), 0);
    // Elements that do not stay add zero to the place of the last one that did.
    const packed = op.ScatterElements(op.zeros(kept), placesOf(op, mask), kept, {
      axis: 0,
      reduction: 'add',
    });
    const length = op.cast(op.sum(mask), 'int32');
    return { mask: packBits(op, mask, 1), values: { value: packed, length } };
  },
  decode(payload, { op }, _, like) {
    const count = elementCount(like.shape);
    if (count === 0) return op.zeros(like);
    const { mask, values } = payload as { readonly mask: Value; readonly values: Prefix };
    const bits = unpackBits(op, mask, 1, [count]);
    const spread = op.Gather(values.value, placesOf(op, bits));
    return op.reshape(op.Where(op.Greater(bits, 0), spread, 0), like.shape);
  },
});

/** NaN is above: it stays. */
function isAbove(op: Op, gradient: Value, given: Value, relativeTo: Relative): Value {
  const sizes = op.Abs(op.cast(gradient, 'float32'));
  const unit = elementCount(gradient.shape) === 0 ? undefined : unitOf(op, sizes, relativeTo);
  const bound = unit === undefined ? given : op.Mul(given, unit);
  return op.Not(op.LessOrEqual(sizes, bound));
}

function unitOf(op: Op, sizes: Value, relativeTo: Relative): Value | undefined {
  if (relativeTo === 'none') return undefined;
  const largest = sizes.shape.length === 0 ? sizes : op.ReduceMax(sizes, { keepdims: 0 });
  if (relativeTo === 'max') return largest;
  // Divided by its maximum first: squares of large and of small numbers leave the range of float32.
  const scale = op.Where(op.Less(largest, smallestNormal), 1, largest);
  const unit = op.Div(sizes, scale);
  return op.Mul(scale, op.Sqrt(op.mean(op.Mul(unit, unit))));
}

/** How many elements of the mask come before each one that is set: int32. */
function placesOf(op: Op, mask: Value): Value {
  const [axis, count] = [op.scalar(0, 'int64'), elementCount(mask.shape)];
  const counted = op.CumSum(count < exactCount ? mask : op.cast(mask, 'int32'), axis);
  return op.cast(op.Max(op.Sub(counted, 1), 0), 'int32');
}

function shareOf(op: Op, masks: readonly Value[]): Value {
  const count = masks.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const kept = masks
    .filter(({ shape }) => elementCount(shape) > 0)
    .map((mask) => op.sum(op.cast(mask, 'float32')))
    .reduce((total, sum) => op.Add(total, sum), op.scalar(0));
  return op.Div(kept, Math.max(1, count));
}
