import { reducedShape } from '../../graph/shapes/tensor.js';
import { elementCount, int, ints, normalizeAxis, type Value } from '../../graph/value.js';
import { type GradientContext, type GradientRule, known, rules } from '../rule.js';

interface Reduction extends GradientContext {
  readonly axes: readonly number[];
  /** How many elements each result is made of. */
  readonly count: number;
  /** The gradient and the result with the reduced axes kept as 1, so that they broadcast against x. */
  readonly wide: { readonly dy: Value; readonly y: Value };
}

function axesOf(context: GradientContext): readonly number[] {
  const { has, attributes, x } = context;
  const rank = x[0].shape.length;
  const given = has(1) ? known(context, 1) : (ints(attributes, 'axes') ?? []);
  const all = given.length === 0 && int(attributes, 'noop_with_empty_axes', 0) === 0;
  return all ? x[0].shape.map((_, axis) => axis) : given.map((axis) => normalizeAxis(axis, rank));
}

function reduction(rule: (context: Reduction) => Value): GradientRule {
  return (context) => {
    const { dy, y, x, op } = context;
    const axes = axesOf(context);
    const kept = reducedShape(x[0].shape, axes, true);
    const wide = { dy: op.reshape(dy, kept), y: op.reshape(y, kept) };
    const count = elementCount(axes.map((axis) => x[0].shape[axis] ?? 1));
    return [rule({ ...context, axes, count, wide })];
  };
}

function expand({ x: [x], op }: Reduction, gradient: Value): Value {
  return op.Expand(gradient, op.ints(x.shape));
}

/** Equal extremes share the gradient equally. */
function extremum({ x: [x], op, axes, wide }: Reduction): Value {
  const chosen = op.cast(op.Equal(x, wide.y), x.type);
  return op.Mul(chosen, op.Div(wide.dy, op.sum(chosen, axes, true)));
}

/** The product of the others, also where factors are zero: with one zero among the factors only that one has a
 *  gradient, with two nothing has. */
function product({ x: [x], op, axes, wide }: Reduction): Value {
  const zero = op.cast(op.Equal(x, 0), x.type);
  const nonzero = op.Add(x, zero);
  const whole = op.ReduceProd(nonzero, op.ints(axes), { keepdims: 1, noop_with_empty_axes: 1 });
  const lone = op.Equal(op.sum(zero, axes, true), zero);
  return op.Mul(wide.dy, op.Where(lone, op.Div(whole, nonzero), 0));
}

export const reductions = rules({
  ReduceSum: reduction((context) => expand(context, context.wide.dy)),
  ReduceMean: reduction((context) => {
    const { op, wide, count } = context;
    return expand(context, op.Div(wide.dy, count));
  }),
  ReduceMax: reduction(extremum),
  ReduceMin: reduction(extremum),
  ReduceProd: reduction(product),
  ReduceL1: reduction(({ x: [x], op, wide }) => op.Mul(op.Sign(x), wide.dy)),
  ReduceL2: reduction(({ x: [x], op, wide }) => {
    const scale = op.Where(op.Equal(wide.y, 0), 0, op.Div(wide.dy, wide.y));
    return op.Mul(x, scale);
  }),
  ReduceSumSquare: reduction(({ x: [x], op, wide }) => op.Mul(x, op.Mul(wide.dy, 2))),
  ReduceLogSum: reduction((context) => {
    const { op, wide } = context;
    return expand(context, op.Div(wide.dy, op.Exp(wide.y)));
  }),
  ReduceLogSumExp: reduction(({ x: [x], op, wide }) => op.Mul(op.Exp(op.Sub(x, wide.y)), wide.dy)),
});
