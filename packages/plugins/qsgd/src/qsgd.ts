import {
  constant,
  definePlugin,
  elementCount,
  integer,
  type Op,
  oneOf,
  type Payload,
  type PluginContext,
  packBits,
  unpackBits,
  type Value,
} from '@gradware/core';

/** Below it float32 loses digits; a norm that small counts as none. */
const smallestNormal = 2 ** -126;

interface QsgdOptions {
  readonly levels: number;
  readonly bucket: number;
  readonly norm: 'l2' | 'max';
}

/** Rounds every element at random to one of s levels of its bucket's norm, so that on average nothing is lost.
 *  g_i ← ‖g‖ · sgn(g_i) · ξ_i, ξ_i = l/s or (l+1)/s, next to |g_i| / ‖g‖, with the mean |g_i| / ‖g‖
 *  (QSGD, Alistarh et al. 2017; with `norm: 'max'` the variant of its experiments.) What is sent: a norm for each
 *  bucket, and the codes in as few bits as 2s + 1 values need; not Elias' code, whose length depends on the data. */
export const qsgd = definePlugin({
  name: 'qsgd',
  description: 'Rounds gradients at random to levels of their norm; unbiased.',
  role: 'compress',
  // Its variance, in units of ‖g‖²: Lemma 3.1 of the paper; with the maximum as norm at most a quarter for each element.
  expands({ levels, bucket, norm }) {
    const [s, b] = [Number(levels), Number(bucket)];
    return (norm === 'max' ? b / (4 * s * s) : Math.min(b / (s * s), Math.sqrt(b) / s)) > 1;
  },
  options: {
    levels: constant(integer(1, 32767), 7, 'levels above zero; 1, 7, 127 take 2, 4, 8 bits'),
    bucket: constant(integer(1), 512, 'how many elements share one norm'),
    norm: constant(oneOf('l2', 'max'), 'l2', 'the norm of a bucket: Euclidean, or its maximum'),
  },
  transform: (gradients, context, options) =>
    gradients.map((gradient) => {
      if (elementCount(gradient.shape) === 0) return gradient;
      const { codes, scale } = quantized(gradient, context, options);
      return decoded(context.op, codes, scale, gradient);
    }),
  encode(gradient, context, options): Payload {
    const { op } = context;
    const count = elementCount(gradient.shape);
    if (count === 0) return {};
    const { codes, scale } = quantized(gradient, context, options);
    const flat = op.Add(first(op, codes, count), options.levels);
    return {
      // Codes cannot say NaN: scales of NaN say it for all of them.
      scales: op.Where(op.isFinite(gradient), op.reshape(scale, [scale.shape[0] ?? 0]), Number.NaN),
      codes: packBits(op, flat, bitsOf(options.levels)),
    };
  },
  decode(payload, { op }, { levels, bucket }, like) {
    const count = elementCount(like.shape);
    if (count === 0) return op.zeros(like);
    const { scales, codes } = payload as { readonly scales: Value; readonly codes: Value };
    const signed = op.Sub(unpackBits(op, codes, bitsOf(levels), [count]), levels);
    const scale = op.reshape(scales, [elementCount(scales.shape), 1]);
    return decoded(op, rowsOf(op, signed, bucket), scale, like);
  },
});

function bitsOf(levels: number): number {
  return Math.ceil(Math.log2(2 * levels + 1));
}

/** [buckets, elements of one], zeros at the end. */
function rowsOf(op: Op, value: Value, bucket: number): Value {
  const count = elementCount(value.shape);
  const width = Math.min(bucket, count);
  const rows = Math.ceil(count / width);
  const flat = op.reshape(value, [count]);
  const missing = rows * width - count;
  return op.reshape(missing === 0 ? flat : op.Pad(flat, op.ints([0, missing])), [rows, width]);
}

/** The first elements of rows, without what was added to fill the last one. */
function first(op: Op, rows: Value, count: number): Value {
  const size = elementCount(rows.shape);
  const flat = op.reshape(rows, [size]);
  return size === count ? flat : op.slice(flat, 0, 0, count);
}

function decoded(op: Op, codes: Value, scale: Value, like: Value): Value {
  const flat = first(op, op.Mul(codes, scale), elementCount(like.shape));
  return op.cast(op.reshape(flat, like.shape), like.type);
}

/** Whole numbers from -levels to levels, and what one is worth in each bucket. */
function quantized(
  gradient: Value,
  { op, random }: PluginContext,
  { levels, bucket, norm }: QsgdOptions,
): { readonly codes: Value; readonly scale: Value } {
  const rows = rowsOf(op, op.cast(gradient, 'float32'), bucket);
  const along = [op.ints([1]), { keepdims: 1 }] as const;
  const largest = orOne(
    op,
    op.Max(op.ReduceMax(rows, ...along), op.Neg(op.ReduceMin(rows, ...along))),
  );
  // Divided by its maximum first: squares of large and of small numbers leave the range of float32.
  const unit = op.Div(rows, largest);
  const length = norm === 'max' ? undefined : orOne(op, op.ReduceL2(unit, ...along));
  const ratio = op.Mul(unit, length === undefined ? levels : op.Div(op.scalar(levels), length));
  const chance = random({ like: { ...rows, parameter: gradient.parameter } });
  const whole = length === undefined ? largest : op.Mul(largest, length);
  return {
    codes: op.Clip(op.Floor(op.Add(ratio, chance)), -levels, levels),
    scale: op.Div(whole, levels),
  };
}

/** 1 in place of what is too small to divide by: everything is then rounded to zero, or next to it. */
function orOne(op: Op, value: Value): Value {
  return op.Where(op.Less(value, smallestNormal), 1, value);
}
