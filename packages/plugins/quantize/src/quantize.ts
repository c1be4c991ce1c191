import {
  boolean,
  constant,
  definePlugin,
  elementCount,
  integer,
  type Op,
  oneOf,
  type PluginContext,
  type Value,
} from '@gradware/core';
import { pack, packedBytes, unpack } from './pack.js';

/** Below it float32 loses digits, and g / scale could leave the range of the codes. */
const smallestNormal = 2 ** -126;
const scaleBytes = 4;

interface QuantizeOptions {
  readonly bits: number;
  readonly rounding: 'nearest' | 'stochastic';
  readonly errorFeedback: boolean;
}

/** Rounds every gradient to 2^bits - 1 levels that lie evenly and symmetrically around zero.
 *
 *      scale = max |g| / (2^(bits-1) - 1)      q = round(g / scale), ties to even      g ← q · scale
 *      stochastic: q = ⌊g / scale + u⌋ with u uniform in [0, 1), so that the mean of q · scale is g
 *      with error feedback: v = g + e, v is quantized in place of g, e ← v - q · scale
 *
 *  (stochastic as QSGD, Alistarh et al. 2017, with the maximum in place of the norm; error feedback: Seide et al.
 *  2014, Karimireddy et al. 2019.) A gradient of zero stays zero. What is sent: the scale and the codes
 *  q + 2^(bits-1) - 1, bit-packed. */
export const quantize = definePlugin({
  name: 'quantize',
  description: 'Rounds gradients to a few bits, with a scale for each tensor.',
  role: 'compress',
  options: {
    bits: constant(integer(2, 16), 8, 'bits of a code'),
    rounding: constant(
      oneOf('nearest', 'stochastic'),
      'nearest',
      'to the nearest level, or up or down at random so that the mean is kept',
    ),
    errorFeedback: constant(boolean, false, 'adds what rounding lost to the next gradient'),
  },
  transform(gradients, context, options) {
    const { op, metric } = context;
    const bytes = gradients.reduce((sum, { shape }) => sum + payloadSize(shape, options.bits), 0);
    const elements = gradients.reduce((sum, { shape }) => sum + elementCount(shape), 0);
    metric('bytes', op.scalar(bytes));
    metric('bits-per-element', op.scalar((8 * bytes) / Math.max(1, elements)));
    return gradients.map((gradient) => {
      const { scale, codes, keep } = quantizeOne(gradient, context, options);
      return keep(decoded(op, scale, codes, gradient));
    });
  },
  encode(gradient, context, options) {
    const { op } = context;
    if (elementCount(gradient.shape) === 0)
      return { scale: op.scalar(1), codes: op.filled({ type: 'uint8', shape: [0] }, 0) };
    const { scale, codes, keep } = quantizeOne(gradient, context, options);
    keep(decoded(op, scale, codes, gradient));
    const packed = pack(op, op.Add(codes, levels(options.bits)), options.bits);
    // Codes cannot say NaN: a scale of NaN says it for all of them.
    const honest = op.Where(op.isFinite(gradient), scale, Number.NaN);
    return { scale: honest, codes: packed };
  },
  decode(payload, { op }, { bits }, like) {
    const { scale, codes } = payload as { readonly scale: Value; readonly codes: Value };
    if (elementCount(like.shape) === 0) return op.filled(like, 0);
    const signed = op.Sub(unpack(op, codes, bits, like.shape), levels(bits));
    return decoded(op, scale, signed, like);
  },
});

/** The largest code. */
function levels(bits: number): number {
  return 2 ** (bits - 1) - 1;
}

function payloadSize(shape: readonly number[], bits: number): number {
  return scaleBytes + packedBytes(elementCount(shape), bits);
}

function decoded(op: Op, scale: Value, codes: Value, like: Value): Value {
  return op.cast(op.Mul(codes, scale), like.type);
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
  { bits, rounding, errorFeedback }: QuantizeOptions,
): Quantized {
  const { op, random, state } = context;
  const residual = errorFeedback ? state('residual', { like: gradient }) : undefined;
  const wanted = residual ? op.Add(gradient, residual.value) : gradient;
  const g = op.cast(wanted, 'float32');
  const scale = scaleOf(op, g, bits);
  const ratio = op.Div(g, scale);
  const codes =
    rounding === 'nearest'
      ? op.Round(ratio)
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

/** max |g| / levels; 1 where that is too small to divide by, which rounds everything to zero. */
function scaleOf(op: Op, g: Value, bits: number): Value {
  if (elementCount(g.shape) === 0) return op.scalar(1);
  const flat = { keepdims: 0 };
  const largest =
    g.shape.length === 0 ? op.Abs(g) : op.Max(op.ReduceMax(g, flat), op.Neg(op.ReduceMin(g, flat)));
  const scale = op.Div(largest, levels(bits));
  return op.Where(op.Less(scale, smallestNormal), 1, scale);
}
