import { GradwareError } from '../../errors.js';
import type { Op } from '../../graph/builder.js';
import { reducedAxes } from '../../graph/shapes/training.js';
import { float, int, type Value } from '../../graph/value.js';
import { isTimesVector, timesVector } from '../../graph/vector-products.js';
import { type LoweringContext, lowerings } from '../rule.js';

/** The axes that either operand's gradient is summed over. */
function gradientAxes({ op, x, constant, node }: LoweringContext): readonly Value[] {
  const [a, b] = [constant(x[0]), constant(x[1])];
  if (a !== undefined && b !== undefined)
    return [op.ints(reducedAxes(a, b)), op.ints(reducedAxes(b, a))];
  throw new GradwareError('NO_LOWERING', 'Shapes that depend on data cannot be broadcast back', {
    where: `node ${node.name}`,
    remedy: 'Make the artifacts from the forward model again, with fixed shapes.',
  });
}

/** Swaps the last two axes; `batch` first moves the first axis in front of the last. */
function turn(op: Op, value: Value, transposed: boolean, batch: boolean): Value {
  const axes = value.shape.map((_, axis) => axis);
  const rank = axes.length;
  if (rank < 2) return value;
  const moved = batch ? [...axes.slice(1, -1), 0, rank - 1] : axes;
  const perm = transposed ? [...moved.slice(0, -2), ...moved.slice(-2).reverse()] : moved;
  return op.transpose(value, perm);
}

function fusedMatMul({ op, x: [a, b], attributes }: LoweringContext): Value {
  const on = (name: string) => int(attributes, name, 0) === 1;
  const left = turn(op, a, on('transA'), on('transBatchA'));
  const right = turn(op, b, on('transB'), on('transBatchB'));
  const alpha = float(attributes, 'alpha', 1);
  return alpha === 1 ? op.MatMul(left, right) : op.Mul(op.MatMul(left, right), alpha);
}

function scale({ op, x: [data, factor], attributes, constant }: LoweringContext): Value {
  const down = int(attributes, 'scale_down', 0) === 1;
  const known = constant(factor)?.[0];
  // A constant divisor becomes a factor where that is exact: Mul is the faster one.
  if (known !== undefined && down && Number.isInteger(Math.log2(Math.abs(known))))
    return op.Mul(data, 1 / known);
  const by = known ?? op.cast(op.reshape(factor, []), data.type);
  return down ? op.Div(data, by) : op.Mul(data, by);
}

export const broadcasting = lowerings({
  BroadcastGradientArgs: gradientAxes,
  ReduceSumTraining: ({ op, x: [data, axes], attributes }) =>
    op.ReduceSum(data, axes, {
      keepdims: int(attributes, 'keepdims', 1),
      noop_with_empty_axes: int(attributes, 'noop_with_empty_axes', 0),
    }),
  ReduceSum: ({ op, x: [data, axes], has, attributes, constant, y: [sum] }) => {
    const none = has(1) && constant(axes)?.length === 0;
    return none && int(attributes, 'noop_with_empty_axes', 0) === 1
      ? op.reshape(data, sum.shape)
      : undefined;
  },
  Scale: scale,
  DivGrad: ({ op, x: [dy, a, b], needed }) => {
    const da = op.Div(dy, b);
    return [
      needed(0) ? op.sumTo(a, da) : undefined,
      needed(1) ? op.sumTo(b, op.Neg(op.Div(op.Mul(da, a), b))) : undefined,
    ];
  },
  // A transposition that ONNX Runtime fuses into the product of matrices and a vector is lost.
  MatMul: ({ op, x: [a, b] }) => (isTimesVector(a, b) ? timesVector(op, a, b) : undefined),
  // Stock CPU kernels have it, except for the transposition of batch axes.
  FusedMatMul: (context) => {
    const { provider, attributes, x } = context;
    if (isTimesVector(x[0], x[1])) return fusedMatMul(context);
    const batch = ['transBatchA', 'transBatchB'].some((name) => int(attributes, name, 0) === 1);
    return provider === 'webgpu' || batch ? fusedMatMul(context) : undefined;
  },
  // ORT's own came before that of ai.onnx, with the same meaning.
  Trilu: ({ op, node, x: [data, diagonal], has, attributes }) =>
    node.domain === ''
      ? undefined
      : op.Trilu(data, has(1) ? diagonal : null, { upper: int(attributes, 'upper', 1) }),
  BatchScale: ({ op, node, x: [data], attributes }) =>
    node.outputs.map((_, i) => op.Mul(data, float(attributes, `scale_${i}`, 1))),
  ScaledSum: ({ op, node, x, attributes }) =>
    x
      .slice(0, node.inputs.length)
      .map((value, i) => op.Mul(value, float(attributes, `scale_${i}`, 1)))
      .reduce((total, term) => op.Add(total, term)),
});
