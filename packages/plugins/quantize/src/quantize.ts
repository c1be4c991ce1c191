import {
  boolean,
  constant,
  definePlugin,
  elementCount,
  integer,
  type Op,
  oneOf,
  type PluginContext,
  packBits,
  unpackBits,
  type Value,
} from '@gradware/core';

/** Below it float32 loses digits, and g / scale could leave the range of the codes. */
const smallestNormal = 2 ** -126;

interface QuantizeOptions {
  readonly bits: number;
  readonly rounding: 'nearest' | 'stochastic';
  readonly per: 'tensor' | 'channel';
  readonly axis: number;
  readonly errorFeedback: boolean;
}

/** Rounds every gradient to 2^bits - 1 levels that lie evenly and symmetrically around zero.
 *
 *      scale = max |g| / (2^(bits-1) - 1)      q = round(g / scale), ties to even      g ← q · scale
 *      stochastic: q = ⌊g / scale + u⌋ with u uniform in [0, 1), so that the mean of q · scale is g
 *      with error feedback: v = g + e, v is quantized in place of g, e ← v - q · scale
 *
 *  (stochastic as QSGD, Alistarh et al. 2017, with the maximum in place of the norm; error feedback: Seide et al.
 *  2014, Karimireddy et al. 2019.) The maximum is that of the tensor, or of each slice along `axis`. A gradient of
 *  zero stays zero. What is sent: the scales and the codes q + 2^(bits-1) - 1, bit-packed. */
export const quantize = definePlugin({
  name: 'quantize',
  description: 'Rounds gradients to a few bits, with a scale for each tensor or channel.',
  role: 'compress',
  options: {
    bits: constant(integer(2, 16), 8, 'bits of a code'),
    rounding: constant(
      oneOf('nearest', 'stochastic'),
      'nearest',
      'to the nearest level, or up or down at random so that the mean is kept',
    ),
    per: constant(oneOf('tensor', 'channel'), 'tensor', 'one scale for each tensor, or channel'),
    axis: constant(integer(0), 0, 'the axis of the channels; without it a tensor has one scale'),
    errorFeedback: constant(boolean, false, 'adds what rounding lost to the next gradient'),
  },
  hasFeedback: ({ errorFeedback }) => errorFeedback === true,
  transform: (gradients, context, options) =>
    gradients.map((gradient) => {
      const { scale, codes, keep } = quantizeOne(gradient, context, options);
      return keep(decoded(context.op, scale, codes, gradient));
    }),
  encode(gradient, context, options) {
    const { op } = context;
    const { shape } = gradient;
    if (elementCount(shape) === 0)
      return { scale: op.scalar(1), codes: op.zeros({ type: 'uint8', shape: [0] }) };
    const { scale, codes, keep } = quantizeOne(gradient, context, options);
    keep(decoded(op, scale, codes, gradient));
    const packed = packBits(op, op.Add(codes, levels(options.bits)), options.bits);
    // Codes cannot say NaN: scales of NaN say it for all of them.
    const honest = op.Where(op.isFinite(gradient), scale, Number.NaN);
    return { scale: op.reshape(honest, [elementCount(scale.shape)]), codes: packed };
  },
  decode(payload, { op }, { bits, ...options }, like) {
    const { scale, codes } = payload as { readonly scale: Value; readonly codes: Value };
    if (elementCount(like.shape) === 0) return op.filled(like, 0);
    const signed = op.Sub(unpackBits(op, codes, bits, like.shape), levels(bits));
    const channels = channelsOf(like.shape, options);
    const wide =
      channels === undefined ? [] : like.shape.map((dim, i) => (i === channels ? dim : 1));
    return decoded(op, op.reshape(scale, wide), signed, like);
  },
});

/** The largest code. */
function levels(bits: number): number {
  return 2 ** (bits - 1) - 1;
}

/** The axis of the channels that have scales of their own: not in biases and scalars. */
function channelsOf(
  { length: rank }: readonly number[],
  { per, axis }: Pick<QuantizeOptions, 'per' | 'axis'>,
): number | undefined {
  return per === 'tensor' || rank < 2 || axis >= rank ? undefined : axis;
}

function decoded(op: Op, scale: Value, codes: Value, like: Value): Value {
  return op.cast(op.Mul(codes, scale), like.type);
}

/** 1.5 · 2^23: a float32 of this size has no bits left for a fraction. */
const wholeOnly = 12582912;

/** Nearest whole number, ties to even, for |x| < 2^22; NaN stays NaN. Round is the slower kernel: it uses one thread on
 *  the CPU, and webgpu has none. */
function nearestWhole(op: Op, x: Value): Value {
  return op.Sub(op.Add(x, wholeOnly), wholeOnly);
}

interface Quantized {
  readonly scale: Value;
  /** Whole numbers from -levels to levels, as float32. */
  readonly codes: Value;
  /** Remembers what the result lost, where there is error feedback; returns the result. */
  keep(result: Value): Value;
}

function quantizeOne(
  gradient: Value,
  context: PluginContext,
  { bits, rounding, errorFeedback, ...options }: QuantizeOptions,
): Quantized {
  const { op, random, state } = context;
  const residual = errorFeedback ? state('residual', { like: gradient }) : undefined;
  const wanted = residual ? op.Add(gradient, residual.value) : gradient;
  const g = op.cast(wanted, 'float32');
  const scale = scaleOf(op, g, levels(bits), channelsOf(g.shape, options));
  const ratio = op.Div(g, scale);
  const codes =
    rounding === 'nearest'
      ? nearestWhole(op, ratio)
      : op.Clip(op.Floor(op.Add(ratio, random({ like: g }))), -levels(bits), levels(bits));
  return {
    scale,
    codes,
    keep(result) {
      residual?.set(op.Sub(wanted, result));
      return result;
    },
  };
}

/** max |g| / largest code; 1 where that is too small to divide by, which rounds everything to zero. */
function scaleOf(op: Op, g: Value, largestCode: number, channels: number | undefined): Value {
  if (elementCount(g.shape) === 0) return op.scalar(1);
  const scale = op.Div(largest(op, g, channels), largestCode);
  return op.Where(op.Less(scale, smallestNormal), 1, scale);
}

/** max |g| of the tensor, or of each channel, which then keeps the rank. */
function largest(op: Op, g: Value, channels: number | undefined): Value {
  if (g.shape.length === 0) return op.Abs(g);
  if (channels === undefined)
    return op.Max(op.ReduceMax(g, { keepdims: 0 }), op.Neg(op.ReduceMin(g, { keepdims: 0 })));
  const axes = op.ints(g.shape.flatMap((_, i) => (i === channels ? [] : [i])));
  return op.Max(
    op.ReduceMax(g, axes, { keepdims: 1 }),
    op.Neg(op.ReduceMin(g, axes, { keepdims: 1 })),
  );
}
