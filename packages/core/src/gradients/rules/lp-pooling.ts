import type { Op } from '../../graph/builder.js';
import { reachedPads, windowOf } from '../../graph/shapes/compute.js';
import { elementCount, int, ints, type Value } from '../../graph/value.js';
import { type GradientContext, rules } from '../rule.js';
import { explicitWindow } from './convolution.js';

/** ∂‖x‖ₚ/∂x = sign(x)·|x|ᵖ⁻¹ / ‖x‖ₚᵖ⁻¹: the part that belongs to the elements. */
function inner(op: Op, x: Value, p: number): Value {
  if (p === 1) return op.Sign(x);
  return p === 2 ? x : op.Mul(op.Sign(x), op.Pow(op.Abs(x), p - 1));
}

/** The part that belongs to the norm, times its gradient; a norm of 0 has none. */
function outer(op: Op, dy: Value, y: Value, p: number): Value {
  if (p === 1) return dy;
  return op.Where(op.Equal(y, 0), 0, op.Div(dy, p === 2 ? y : op.Pow(y, p - 1)));
}

/** Pooling adds up |x|ᵖ over windows, as a convolution of every channel with ones does. */
function lpPool({ dy, x: [x], y, attributes, emit, op }: GradientContext): readonly Value[] {
  const p = int(attributes, 'p', 2);
  const kernel = ints(attributes, 'kernel_shape') ?? [];
  const spatial = x.shape.slice(2);
  const window = windowOf(attributes, spatial, kernel);
  const pads = reachedPads(window, spatial);
  const planes = elementCount(x.shape.slice(0, 2));
  const ones = op.filled({ type: x.type, shape: [1, 1, ...kernel] }, 1);
  const share = op.reshape(outer(op, dy, y, p), [planes, 1, ...y.shape.slice(2)]);
  const [spread] = emit('ConvGrad', [share, op.reshape(x, [planes, 1, ...spatial]), ones], {
    ...explicitWindow({ ...window, pads }),
    group: { type: 'int', value: 1 },
  });
  return [op.Mul(inner(op, x, p), op.reshape(spread as Value, x.shape))];
}

export const lpPooling = rules({
  LpPool: lpPool,
  GlobalLpPool: ({ dy, x: [x], y, attributes, op }) => {
    const p = int(attributes, 'p', 2);
    return [op.Mul(inner(op, x, p), outer(op, dy, y, p))];
  },
});
