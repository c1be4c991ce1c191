import type { Op } from '../../graph/builder.js';
import { int, normalizeAxis, type Value } from '../../graph/value.js';
import { type LoweringContext, lowerings } from '../rule.js';

/** The one axis of softmax since opset 13. */
function lastAxis({ x: [dy], attributes }: LoweringContext): readonly number[] {
  return [normalizeAxis(int(attributes, 'axis', -1), dy.shape.length)];
}

/** Before opset 13 the input was seen as a matrix: all axes from `axis` on are one. */
function trailingAxes({ x: [dy], attributes }: LoweringContext): readonly number[] {
  const axes = dy.shape.map((_, axis) => axis);
  return axes.slice(normalizeAxis(int(attributes, 'axis', 1), dy.shape.length));
}

function softmaxGrad(op: Op, dy: Value, y: Value, axes: readonly number[]): Value {
  return op.Mul(y, op.Sub(dy, op.sum(op.Mul(y, dy), axes, true)));
}

function logSoftmaxGrad(op: Op, dy: Value, y: Value, axes: readonly number[]): Value {
  return op.Sub(dy, op.Mul(op.Exp(y), op.sum(dy, axes, true)));
}

export const softmax = lowerings({
  SoftmaxGrad: (context) =>
    softmaxGrad(context.op, context.x[0], context.x[1], trailingAxes(context)),
  SoftmaxGrad_13: (context) =>
    softmaxGrad(context.op, context.x[0], context.x[1], lastAxis(context)),
  LogSoftmaxGrad: (context) =>
    logSoftmaxGrad(context.op, context.x[0], context.x[1], trailingAxes(context)),
  LogSoftmaxGrad_13: (context) =>
    logSoftmaxGrad(context.op, context.x[0], context.x[1], lastAxis(context)),
});
