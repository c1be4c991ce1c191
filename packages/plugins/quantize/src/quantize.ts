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
    quantizeAll(gradients, context, options).map(({ scale, codes, keep }, i) =>
      keep(decoded(context.op, scale, codes, gradients[i] as Value)),
    ),
  encode(gradient, context, options) {
    const { op } = context;
    const { shape } = gradient;
    if (elementCount(shape) === 0)
      return { scale: op.scalar(1), codes: op.zeros({ type: 'uint8', shape: [0] }) };
    const [{ scale, codes, keep }] = quantizeAll([gradient], context, options) as [Quantized];
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

function quantizeAll(
  gradients: readonly Value[],
  context: PluginContext,
  { bits, rounding, errorFeedback, ...options }: QuantizeOptions,
): readonly Quantized[] {
  const { op, random, state } = context;
  const wanted = gradients.map((gradient) => {
    const residual = errorFeedback ? state('residual', { like: gradient }) : undefined;
    return { residual, value: residual ? op.Add(gradient, residual.value) : gradient };
  });
  const wide = wanted.map(({ value }) => op.cast(value, 'float32'));
  const scales = scalesOf(op, wide, levels(bits), options);
  return wanted.map(({ value, residual }, i) => {
    const [g, scale] = [wide[i] as Value, scales[i] as Scale];
    const ratio = op.Mul(g, scale.inverse);
    const codes =
      rounding === 'nearest'
        ? nearestWhole(op, ratio)
        : op.Clip(op.Floor(op.Add(ratio, random({ like: g }))), -levels(bits), levels(bits));
    return {
      scale: scale.value,
      codes,
      keep(result) {
        residual?.set(op.Sub(value, result));
        return result;
      },
    };
  });
}

interface Scale {
  readonly value: Value;
  readonly inverse: Value;
}

/** The scales of tensors that have one each are computed together: as many nodes as for one tensor. */
function scalesOf(
  op: Op,
  values: readonly Value[],
  largestCode: number,
  options: Pick<QuantizeOptions, 'per' | 'axis'>,
): readonly Scale[] {
  const whole = values.filter(({ shape }) => channelsOf(shape, options) === undefined);
  const together = whole.length === 0 ? undefined : scaleOf(op, op.infNorms(whole), largestCode);
  const each = whole.map(() => 1);
  const split = (value: Value): readonly Value[] =>
    whole.length === 1 ? [value] : op.Split(value, op.ints(each), { axis: 0 });
  const own = together && [split(together.value), split(together.inverse)];
  return values.map((value) => {
    const channels = channelsOf(value.shape, options);
    if (channels !== undefined) return scaleOf(op, largestOf(op, value, channels), largestCode);
    const [scale, inverse] = (own ?? []).map((all) => {
      const one = all[whole.indexOf(value)] as Value;
      return value.shape.length === 0 ? op.reshape(one, []) : one;
    });
    return { value: scale as Value, inverse: inverse as Value };
  });
}

/** max |g| / largest code; 1 where that is too small to divide by, which rounds everything to zero. */
function scaleOf(op: Op, largest: Value, largestCode: number): Scale {
  const scale = op.Div(largest, largestCode);
  const value = op.Where(op.Less(scale, smallestNormal), 1, scale);
  // Not 1 / value: where that has one user, ONNX Runtime divides by the value in its place, and what is sent would now and
  // then be another level than what scales of several tensors give.
  return { value, inverse: op.Neg(op.Div(op.scalar(-1), value)) };
}

/** max |g| of each channel, with the rank of g. */
function largestOf(op: Op, g: Value, channels: number): Value {
  const axes = op.ints(g.shape.flatMap((_, i) => (i === channels ? [] : [i])));
  return op.Max(
    op.ReduceMax(g, axes, { keepdims: 1 }),
    op.Neg(op.ReduceMin(g, axes, { keepdims: 1 })),
  );
}
