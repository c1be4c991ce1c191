import { int, ints, normalizeAxis, type Value } from '../../graph/value.js';
import type { Node } from '../../onnx/ir.js';
import { type LoweringContext, type LoweringRule, lowerings } from '../rule.js';
import { alikePow } from './webgpu-gaps.js';

/** Kernels that are guarded already: they are lowered again like everything that a rule emits. */
const guarded = new WeakSet<Node>();

/** Spares the kernel that makes a value: it has nothing but numbers. */
export function spare({ producer }: LoweringContext, y: Value): void {
  const made = producer(y)?.node;
  if (made !== undefined) guarded.add(made);
}

type Guard = (context: LoweringContext, y: Value) => Value;

/** Keeps the kernel, and puts right what it makes of NaN. */
export function guard(repair: Guard): LoweringRule {
  return (context) => {
    const { provider, node, op, x, attributes, producer, y: outputs } = context;
    if (provider !== 'webgpu' || guarded.has(node)) return undefined;
    if (!outputs[0].type.startsWith('float')) return undefined;
    const emit = op[node.opType as 'Exp'] as (
      ...given: readonly unknown[]
    ) => Value | readonly [Value, ...Value[]];
    const settings = Object.entries(attributes).map(([name, { value }]) => [name, value]);
    const inputs = node.inputs.map((name, i) => (name === '' ? null : x[i]));
    const emitted = emit(...inputs, Object.fromEntries(settings));
    const y = 'name' in emitted ? emitted : emitted[0];
    const made = producer(y)?.node;
    if (made === undefined) return undefined;
    guarded.add(made);
    return repair(context, y);
  };
}

/** Where the input is not a number the output is none. */
const elementwise: Guard = ({ op, x: [data] }, y) => op.Where(op.Equal(data, data), y, data);

/** Where any along the axes is not a number, nothing of the output is one. */
const along =
  (
    axesOf: (context: LoweringContext) => readonly number[],
    keep: (context: LoweringContext) => boolean,
  ): Guard =>
  (context, y) => {
    const { op, x } = context;
    const total = op.sum(x[0], axesOf(context), keep(context));
    return op.Where(op.Equal(total, total), y, total);
  };

/** SwiftShader takes the logarithm of something else than a negative number. */
const logarithm: Guard = ({ op, x: [data] }, y) =>
  op.Where(op.GreaterOrEqual(data, 0), y, op.Sqrt(data));

/** A negative number has no power but a whole one. */
const power: Guard = ({ op, x: [base, exponent], constant }, y) => {
  const known = constant(exponent);
  const sound = op.Where(op.Equal(base, base), y, base);
  if (known?.every(Number.isInteger)) return sound;
  const number =
    known === undefined ? op.Where(op.Equal(exponent, exponent), sound, exponent) : sound;
  const isWhole = op.Equal(op.Floor(exponent), exponent);
  return op.Where(op.And(op.Less(base, 0), op.Not(isWhole)), op.Sqrt(base), number);
};

function reducedAxes({ x, has, constant, attributes }: LoweringContext): readonly number[] {
  const rank = x[0].shape.length;
  const given = has(1) ? constant(x[1]) : ints(attributes, 'axes');
  const all = x[0].shape.map((_, axis) => axis);
  return given === undefined || given.length === 0
    ? all
    : given.map((axis) => normalizeAxis(axis, rank));
}

/** Ops whose kernels on webgpu make a number of NaN, on some GPU: shaders need not know it. */
export const webgpuNan = lowerings({
  Elu: guard(elementwise),
  Exp: guard(elementwise),
  Log: guard(logarithm),
  Pow: (context) =>
    (context.provider === 'webgpu' ? alikePow(context) : undefined) ?? guard(power)(context),
  ReduceLogSumExp: guard(
    along(reducedAxes, ({ attributes }) => int(attributes, 'keepdims', 1) === 1),
  ),
  Sigmoid: guard(elementwise),
  Softmax: guard(
    along(
      ({ attributes, x }) => [normalizeAxis(int(attributes, 'axis', -1), x[0].shape.length)],
      () => true,
    ),
  ),
  Softplus: guard(elementwise),
});
