import { spreadScale } from '../quantization.js';
import type { Value } from '../value.js';
import { type DecompositionContext, decompositions } from './decomposition.js';

/** (x - zero point)·scale. */
function dequantize({ op, x, attributes, has }: DecompositionContext): readonly Value[] {
  const [quantized, scale, zero] = x;
  const spread = (value: Value) => spreadScale(op, value, quantized.shape, attributes);
  const numbers = op.cast(quantized, scale.type);
  const centred = has(2) ? op.Sub(numbers, spread(op.cast(zero, scale.type))) : numbers;
  return [op.Mul(centred, spread(scale))];
}

export const dequantizing = decompositions({ DequantizeLinear: dequantize });
