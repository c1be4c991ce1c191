import { elementCount, type Op, type Value } from '@gradware/core';
import type { Layout } from './layout.js';

/** Blocks of up to this many elements are searched and filled by comparing all of them: ScatterElements takes twenty times as
 *  long for an element as a pass does. */
const shortBlock = 40;

/** What stays of every block, and where in it: [outer, keep, inner]. */
export interface Found {
  readonly values: Value;
  /** float32; int64 where ONNX's own search gave them. */
  readonly places: Value;
  /** 1 for every element that stays, otherwise 0, where that was made on the way. */
  readonly mask?: Value;
}

const isShort = ({ outer, length, inner }: Layout) => outer * inner > 1 && length <= shortBlock;

/** The largest elements of every block, the first of equal ones. All of them are NaN where any element is not finite. */
export function search(op: Op, gradient: Value, layout: Layout): Found {
  const blocks = inBlocks(op, gradient, layout);
  const found = isShort(layout) ? searchShort(op, blocks) : searchLong(op, blocks, layout);
  // A search for the largest does not see NaN, a sum does: 0, or NaN for all that is sent.
  const total = op.sum(op.cast(gradient, 'float32'));
  const none = op.cast(op.Sub(total, total), gradient.type);
  return { ...found, values: op.Add(found.values, none) };
}

function inBlocks(op: Op, gradient: Value, { outer, length, inner }: Layout): Value {
  const count = elementCount(gradient.shape);
  const missing = outer * length * inner - count;
  const flat = op.reshape(gradient, [count]);
  const filled = missing === 0 ? flat : op.Pad(flat, op.ints([0, missing]));
  return op.reshape(filled, [outer, length, inner]);
}

function searchLong(op: Op, blocks: Value, { keep }: Layout): Found {
  const sizes = op.Abs(blocks);
  const places =
    keep === 1
      ? op.ArgMax(sizes, { axis: 1, keepdims: 1 })
      : (op.TopK(sizes, op.ints([keep]), { axis: 1, sorted: 0 })[1] as Value);
  return { values: op.GatherElements(blocks, places, { axis: 1 }), places };
}

function searchShort(op: Op, blocks: Value): Found {
  const axis = op.ints([1]);
  const high = op.ReduceMax(blocks, axis, { keepdims: 1 });
  const low = op.ReduceMin(blocks, axis, { keepdims: 1 });
  const values = op.Where(op.GreaterOrEqual(high, op.Neg(low)), high, low);
  // The first of equal ones counts most, down to 1; 0 is for NaN, which equals nothing.
  const length = blocks.shape[1] as number;
  const countdown = column(op, length, (place) => length - place);
  const ranks = op.Mul(op.cast(op.Equal(blocks, values), 'float32'), countdown);
  const first = op.ReduceMax(ranks, axis, { keepdims: 1 });
  return {
    values,
    places: op.Sub(length, op.Max(first, 1)),
    mask: op.Relu(op.Add(ranks, op.Sub(1, first))),
  };
}

/** What stays at its place among zeros, in the shape of `like`. */
export function spread(op: Op, found: Found, layout: Layout, like: Value): Value {
  const { outer, length, inner } = layout;
  const all = isShort(layout) ? compared(op, found, length) : scattered(op, found, layout);
  const count = elementCount(like.shape);
  const flat = op.reshape(all, [outer * length * inner]);
  return op.reshape(
    count === outer * length * inner ? flat : op.slice(flat, 0, 0, count),
    like.shape,
  );
}

function compared(op: Op, { values, places, mask }: Found, length: number): Value {
  const numbers = column(op, length, (place) => place);
  const isKept = mask ?? op.cast(op.Equal(places, numbers), 'float32');
  return op.Mul(op.cast(isKept, values.type), values);
}

/** Into zeros made at this step: those of a constant would be copied first. */
function scattered(op: Op, { values, places }: Found, { outer, length, inner }: Layout): Value {
  const total = op.sum(op.cast(values, 'float32'));
  const none = op.cast(op.Sub(total, total), values.type);
  const zeros = op.Expand(none, op.ints([outer, length, inner]));
  const indices = places.type === 'float32' ? op.cast(places, 'int32') : places;
  return op.ScatterElements(zeros, indices, values, { axis: 1 });
}

/** One number for each place of a block. */
export function column(op: Op, length: number, at: (place: number) => number): Value {
  const data = Float32Array.from({ length }, (_, place) => at(place));
  return op.constant({ type: 'float32', dims: [length, 1], data });
}
