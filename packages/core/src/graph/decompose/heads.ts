import type { Op } from '../builder.js';
import { tensorOf } from '../constants.js';
import { float, type PlainAttributes, type Value } from '../value.js';

/** Softmax of it counts as zero, and a row of nothing else stays finite. */
export function never(type: Value['type']): number {
  return type === 'float16' ? -65504 : type === 'bfloat16' ? -3.38e38 : -3.4028234663852886e38;
}

export interface Heads {
  /** [batch, heads, steps, size]; keys and values may have fewer heads, each shared by neighbours. */
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  readonly scale: number;
  readonly softcap: number;
  /** Added to the scores, broadcast to [batch, heads, steps, keys]. */
  readonly biases: readonly Value[];
  /** How many keys stand before the first query; undefined where every key may be seen. */
  readonly causalOffset: number | undefined;
  /** How many keys up to its own place a query sees; undefined where all of them. */
  readonly window?: number | undefined;
  /** A score beside those of the keys that takes its share of the softmax, [heads, 1, 1] or a number. */
  readonly sink?: Value | number | undefined;
  /** Whether a query that may see no key at all gives zeros, instead of NaN or the mean of what it may not see. */
  readonly guarded?: boolean | undefined;
}

export interface Attended {
  /** [batch, heads, steps, size of v]. */
  readonly y: Value;
  /** The scores: as products, with their cap, with their biases, after the softmax. */
  readonly scores: readonly [Value, Value, Value, Value];
}

function repeatHeads(op: Op, value: Value, heads: number): Value {
  const [batch = 0, own = 0, steps = 0, size = 0] = value.shape;
  if (own === heads) return value;
  const times = heads / own;
  const spread = op.Expand(
    op.reshape(value, [batch, own, 1, steps, size]),
    op.ints([batch, own, times, steps, size]),
  );
  return op.reshape(spread, [batch, heads, steps, size]);
}

function causalBias(
  op: Op,
  { type }: Value,
  [queries, keys]: readonly [number, number],
  offset: number,
  window = Number.POSITIVE_INFINITY,
): Value {
  const values = Array.from({ length: queries * keys }, (_, i) => {
    const back = Math.floor(i / keys) + offset - (i % keys);
    return back >= 0 && back < window ? 0 : never(type);
  });
  return op.constant(tensorOf(type, values, [queries, keys]));
}

/** The softmax of the scores and one more, which is dropped. */
function softmaxWithSink(op: Op, scores: Value, sink: Value | number): Value {
  const [batch = 0, heads = 0, queries = 0, keys = 0] = scores.shape;
  const score = typeof sink === 'number' ? op.scalar(sink, scores.type) : sink;
  const column = op.Expand(score, op.ints([batch, heads, queries, 1]));
  return op.slice(op.Softmax(op.Concat(scores, column, { axis: 3 }), { axis: -1 }), 3, 0, keys);
}

/** The softmax of scores without -∞, and zeros where no score of a row counts. */
function guardedSoftmax(op: Op, scores: Value): Value {
  const least = never(scores.type);
  const finite = op.Where(op.Greater(scores, least), scores, op.scalar(least, scores.type));
  const most = op.ReduceMax(finite, op.ints([scores.shape.length - 1]), { keepdims: 1 });
  const counts = op.Greater(most, op.scalar(least / 2, scores.type));
  return op.Where(counts, op.Softmax(finite, { axis: -1 }), op.scalar(0, scores.type));
}

/** softmax(scale · q·kᵀ + biases) · v. */
export function attend(op: Op, heading: Heads): Attended {
  const { q, k, v, scale, softcap, biases, causalOffset, window, sink, guarded } = heading;
  const [, heads = 0, queries = 0] = q.shape;
  const [keys, values] = [repeatHeads(op, k, heads), repeatHeads(op, v, heads)];
  const products = op.MatMul(op.Mul(q, scale), op.Transpose(keys, { perm: [0, 1, 3, 2] }));
  const capped = softcap > 0 ? op.Mul(op.Tanh(op.Mul(products, 1 / softcap)), softcap) : products;
  const all =
    causalOffset === undefined
      ? biases
      : [...biases, causalBias(op, q, [queries, keys.shape[2] ?? 0], causalOffset, window)];
  const biased = all.reduce((scores, bias) => op.Add(scores, bias), capped);
  const weights = guarded
    ? guardedSoftmax(op, biased)
    : sink === undefined
      ? op.Softmax(biased, { axis: -1 })
      : softmaxWithSink(op, biased, sink);
  return { y: op.MatMul(weights, values), scores: [products, capped, biased, weights] };
}

/** [batch, steps, heads · size] as [batch, heads, steps, size]. */
export function splitHeads(op: Op, value: Value, heads: number): Value {
  const [batch = 0, steps = 0, width = 0] = value.shape;
  return op.Transpose(op.reshape(value, [batch, steps, heads, width / heads]), {
    perm: [0, 2, 1, 3],
  });
}

export function joinHeads(op: Op, value: Value): Value {
  const [batch = 0, heads = 0, steps = 0, size = 0] = value.shape;
  return op.reshape(op.Transpose(value, { perm: [0, 2, 1, 3] }), [batch, steps, heads * size]);
}

export function scaleOf(attributes: PlainAttributes, q: Value): number {
  const given = float(attributes, 'scale', 0);
  return given === 0 ? 1 / Math.sqrt(q.shape[3] ?? 1) : given;
}

/** 0 where a mask is true, almost -∞ elsewhere. */
export function biasOf(op: Op, mask: Value, type: Value['type'], masked: number): Value {
  return op.Where(mask, op.scalar(0, type), op.scalar(masked, type));
}
