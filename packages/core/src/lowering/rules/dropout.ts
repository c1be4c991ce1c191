import type { Op } from '../../graph/builder.js';
import type { Operand, Value } from '../../graph/value.js';
import { type LoweringContext, lowerings } from '../rule.js';

/** ONNX's default ratio. */
const defaultRatio = 0.5;

/** A number where it is known before anything runs, else a float32 scalar. */
function ratioAt({ op, has, x, constant }: LoweringContext, i: number): number | Value {
  const given = has(i) ? (x[i] as Value) : undefined;
  if (given === undefined) return defaultRatio;
  return constant(given)?.[0] ?? op.cast(op.reshape(given, []), 'float32');
}

/** value · mask / (1 − ratio): written the same way forward and backward, so that ORT computes the scaled mask
 *  once. */
function applyMask(op: Op, value: Value, mask: Value, ratio: number | Value): Value {
  if (typeof ratio === 'number' && ratio >= 1) return op.Mul(value, 0);
  const scale: Operand =
    typeof ratio === 'number'
      ? 1 / (1 - ratio)
      : op.cast(op.Reciprocal(op.Sub(1, ratio)), value.type);
  return op.Mul(value, op.Mul(op.cast(mask, value.type), scale));
}

export const dropout = lowerings({
  // mask = uniform >= ratio, keyed by the node: the same on every provider. Not training, or a ratio of 0: x.
  Dropout: (context) => {
    const { op, x, y, has, constant, random, node } = context;
    const all = { type: 'bool', shape: x[0].shape } as const;
    const ratio = ratioAt(context, 1);
    const training = has(2) ? constant(x[2])?.[0] : 0;
    if (training === 0 || ratio === 0) return [x[0], context.needed(1) ? op.ones(all) : undefined];
    const uniform = random(x[0].shape, node.name || y[0].name);
    const kept = op.GreaterOrEqual(uniform, ratio);
    if (training !== undefined) return [applyMask(op, x[0], kept, ratio), kept];
    const active = op.reshape(x[2], []);
    const rate = op.Mul(op.cast(active, 'float32'), ratio);
    const mask = op.Or(kept, op.Not(active));
    return [applyMask(op, x[0], mask, rate), mask];
  },
  // As ORT: training_mode does not matter, the mask says it all, except for the scale, and for a ratio of 0.
  DropoutGrad: (context) => {
    const { op, x } = context;
    const ratio = ratioAt(context, 2);
    if (ratio === 0) return x[0];
    const mask = typeof ratio === 'number' ? x[1] : op.Or(x[1], op.Equal(ratio, 0));
    return applyMask(op, x[0], mask, ratio);
  },
});
