import { elementCount, sameShape, type Value } from '../../graph/value.js';
import { type LoweringContext, lowerings } from '../rule.js';

/** Below it the nodes that change shapes cost more than a pass over memory. */
const worthwhile = 2 ** 15;

/** y + a·x with a single number a and an x that comes from outside of the step: a weight, state. */
interface MultiplyAdd {
  readonly a: Value;
  readonly x: Value;
  readonly y: Value;
}

/** Looks for the product of which ORT may not overwrite the large operand: it would need a buffer of its own. */
function multiplyAdd({ x: [left, right], producer }: LoweringContext): MultiplyAdd | undefined {
  for (const [product, y] of [
    [right, left],
    [left, right],
  ] as const) {
    const made = producer(product);
    if (made?.opType !== 'Mul' || !sameShape(product.shape, y.shape)) continue;
    const [first, second] = made.x;
    const [x, a] = sameShape(first.shape, y.shape) ? [first, second] : [second, first];
    const scales = elementCount(a.shape) === 1 && sameShape(x.shape, y.shape);
    if (scales && producer(x) === undefined) return { a, x, y };
  }
  return undefined;
}

export const multiplyAdds = lowerings({
  // A convolution with one number, which adds to y where y lies: one pass in place of two and a buffer. Half of the
  // time on cpu.
  Add: (context) => {
    const {
      op,
      provider,
      y: [sum],
    } = context;
    const count = elementCount(sum.shape);
    if (provider !== 'cpu' || sum.type !== 'float32' || count < worthwhile) return undefined;
    const found = multiplyAdd(context);
    if (found === undefined) return undefined;
    const image = (value: Value) => op.reshape(value, [1, 1, count]);
    const factor = op.reshape(found.a, [1, 1, 1]);
    const added = op.FusedConv(image(found.x), factor, null, image(found.y));
    return op.reshape(added, sum.shape);
  },
});
