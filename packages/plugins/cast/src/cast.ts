import { constant, definePlugin, oneOf, type Value } from '@gradware/core';

/** The largest finite number of each type. */
const largest = { float16: 65504, bfloat16: 3.3895313892515355e38 } as const;

/** Rounds every element to a 16-bit float, ties to even, and back; what would be infinite becomes the largest number.
 *  (As fp16_compress_hook and bf16_compress_hook of PyTorch's DDP, which overflow to infinity.) */
export const cast = definePlugin({
  name: 'cast',
  description: 'Rounds gradients to float16 or bfloat16.',
  role: 'compress',
  options: {
    to: constant(
      oneOf('float16', 'bfloat16'),
      'float16',
      'float16 has more digits, bfloat16 the range of float32',
    ),
  },
  encode: (gradient, { op }, { to }) => ({
    values: op.cast(op.Clip(gradient, -largest[to], largest[to]), to),
  }),
  decode: ({ values }, { op }, _, like) => op.cast(values as Value, like.type),
});
