import type { Op } from '../../graph/builder.js';
import { divisorNear } from '../../graph/helpers.js';
import { elementCount, int, ints, type Value } from '../../graph/value.js';
import { isHost, type LoweringContext, lowerings } from '../rule.js';

/** Up to here one running float32 sum is right to 1e-6; at a million elements it is short by 2e-5. */
const shortSum = 2 ** 17;

/** Each row times itself: two thirds of the time of squares that are written out and summed. */
function byProducts(op: Op, value: Value): Value | undefined {
  const count = elementCount(value.shape);
  const rows = divisorNear(count, count / 2 ** 13);
  if (rows === undefined || count / rows > shortSum) return undefined;
  const row = op.reshape(value, [rows, 1, count / rows]);
  return op.ReduceSum(op.FusedMatMul(row, row, { transB: 1 }), { keepdims: 0 });
}

/** ONNX Runtime takes the extreme of everything on one thread, that of rows on all of them. */
function extremeByRows(
  { op, provider, x: [value], has, attributes }: LoweringContext,
  reduction: 'ReduceMax' | 'ReduceMin',
): Value | undefined {
  const { shape } = value;
  const count = elementCount(shape);
  const whole = !has(1) && ints(attributes, 'axes') === undefined;
  if (!whole || count <= shortSum / 2 || provider !== 'cpu' || value.type !== 'float32')
    return undefined;
  const rows = divisorNear(count, count / 2 ** 13);
  // Where the rows themselves are many, they would come back here without end.
  if (rows === undefined || rows > shortSum / 2) return undefined;
  const extremes = op[reduction](op.reshape(value, [rows, count / rows]), op.ints([1]), {
    keepdims: 0,
  });
  const extreme = op[reduction](extremes, { keepdims: 0 });
  return int(attributes, 'keepdims', 1) === 0
    ? extreme
    : op.reshape(
        extreme,
        shape.map(() => 1),
      );
}

export const reductions = lowerings({
  ReduceMax: (context) => extremeByRows(context, 'ReduceMax'),
  ReduceMin: (context) => extremeByRows(context, 'ReduceMin'),
  // Over everything: part by part where there is much to add up, which keeps the digits that one long sum loses.
  ReduceSumSquare: ({ op, provider, x: [value], has, attributes }) => {
    const count = elementCount(value.shape);
    const whole = !has(1) && ints(attributes, 'axes') === undefined;
    const plain = whole && int(attributes, 'keepdims', 1) === 0;
    if (!plain || count <= shortSum || value.type !== 'float32') return undefined;
    // Not ReduceSumSquare by rows: on the CPU that takes twice as long as a product and a sum.
    const products = isHost(provider) ? byProducts(op, value) : undefined;
    return products ?? op.total([op.Mul(value, value)]);
  },
});
