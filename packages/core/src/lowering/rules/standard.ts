import type { Op } from '../../graph/builder.js';
import { tensorOf } from '../../graph/constants.js';
import { elementCount, float, int, normalizeAxis, type Value } from '../../graph/value.js';
import { type LoweringContext, lowerings, onWebgpu } from '../rule.js';
import { lookUpInt32 } from './labels.js';
import { cosine, sine } from './trigonometry.js';

/** Above it a float32 is infinite. */
const largestFloat = 3.4028234663852886e38;
/** Input and outputs together may be 8 storage buffers. */
const largestSplit = 7;

function addAll(op: Op, values: readonly Value[]): Value {
  return values.reduce((total, value) => op.Add(total, value));
}

function operands({ node, x }: LoweringContext): readonly Value[] {
  return x.slice(0, node.inputs.length);
}

function asNumber(op: Op, condition: Value, type: Value['type']): Value {
  return op.cast(condition, type);
}

/** Nearest integer, halves to even. */
function round(op: Op, x: Value): Value {
  const floor = op.Floor(x);
  const rest = op.Sub(x, floor);
  const odd = op.Sub(floor, op.Mul(op.Floor(op.Mul(floor, 0.5)), 2));
  const half = op.Mul(asNumber(op, op.Equal(rest, 0.5), x.type), odd);
  return op.Add(floor, op.Add(asNumber(op, op.Greater(rest, 0.5), x.type), half));
}

function isInf({ op, x: [data], attributes }: LoweringContext): Value {
  const positive = op.Greater(data, largestFloat);
  const negative = op.Less(data, -largestFloat);
  if (int(attributes, 'detect_negative', 1) === 0) return positive;
  if (int(attributes, 'detect_positive', 1) === 0) return negative;
  return op.Greater(op.Abs(data), largestFloat);
}

/** Bounds that keep NaN, which the kernel of webgpu turns into a bound. */
function clip({ op, x: [data, low, high], has }: LoweringContext): Value {
  const floored = has(1) ? op.Where(op.Less(data, low), low, data) : data;
  return has(2) ? op.Where(op.Greater(floored, high), high, floored) : floored;
}

function oneHot({ op, x: [indices, depth, values], attributes, constant }: LoweringContext) {
  const classes = constant(depth)?.[0];
  if (classes === undefined || indices.type.startsWith('float')) return undefined;
  const at = normalizeAxis(int(attributes, 'axis', -1), indices.shape.length + 1);
  const plain =
    indices.type === 'int64' ? lookUpInt32(op, indices, classes) : op.cast(indices, 'int32');
  const column = op.Unsqueeze(plain, op.ints([at]));
  const inner = indices.shape.slice(at).map(() => 1);
  const range = tensorOf('int32', [...Array(classes).keys()], [classes, ...inner]);
  const hit = op.Equal(column, op.constant(range));
  const [off, on] = [0, 1].map((i) => op.reshape(op.slice(values, 0, i, i + 1), []));
  return op.Where(hit, on, off);
}

function split({
  op,
  node,
  x: [data],
  y,
  attributes,
}: LoweringContext): readonly Value[] | undefined {
  if (node.outputs.length <= largestSplit) return undefined;
  const axis = normalizeAxis(int(attributes, 'axis', 0), data.shape.length);
  let start = 0;
  return y.slice(0, node.outputs.length).map((part) => {
    const from = start;
    start += part.shape[axis] ?? 0;
    return op.slice(data, axis, from, start);
  });
}

function selu({ op, x: [data], attributes }: LoweringContext): Value {
  const [alpha, gamma] = [
    float(attributes, 'alpha', 1.6732632423543772),
    float(attributes, 'gamma', 1.0507009873554805),
  ];
  const below = op.Mul(op.Sub(op.Exp(data), 1), alpha);
  return op.Mul(op.Where(op.Greater(data, 0), data, below), gamma);
}

function celu({ op, x: [data], attributes }: LoweringContext): Value {
  const alpha = float(attributes, 'alpha', 1);
  const below = op.Mul(op.Sub(op.Exp(op.Div(data, alpha)), 1), alpha);
  return op.Where(op.Greater(data, 0), data, below);
}

/** Standard ops that webgpu has no kernel for, or a wrong one. */
const missingOnWebgpu = onWebgpu({
  Relu: ({ op, x: [data] }) => op.Where(op.Less(data, 0), 0, data),
  Clip: clip,
  // NaN is not above, below or equal to 0.
  Sign: ({ op, x: [data] }) => {
    const [above, below] = [op.Greater(data, 0), op.Less(data, 0)];
    const sign = op.Sub(asNumber(op, above, data.type), asNumber(op, below, data.type));
    return op.Where(op.Equal(data, data), sign, data);
  },
  Round: ({ op, x: [data] }) => round(op, data),
  Sin: ({ op, x: [data] }) => sine(op, data),
  Cos: ({ op, x: [data] }) => cosine(op, data),
  Softsign: ({ op, x: [data] }) => op.Div(data, op.Add(op.Abs(data), 1)),
  Selu: selu,
  Celu: celu,
  LogSoftmax: ({ op, x: [data], attributes }) => {
    const axes = [normalizeAxis(int(attributes, 'axis', -1), data.shape.length)];
    const shifted = op.Sub(data, op.ReduceMax(data, op.ints(axes), { keepdims: 1 }));
    return op.Sub(shifted, op.Log(op.sum(op.Exp(shifted), axes, true)));
  },
  Mean: (context) => {
    const values = operands(context);
    return context.op.Div(addAll(context.op, values), values.length);
  },
  Or: ({ op, x: [a, b] }) => op.Not(op.And(op.Not(a), op.Not(b))),
  Xor: ({ op, x: [a, b] }) => op.Not(op.Equal(op.cast(a, 'int32'), op.cast(b, 'int32'))),
  Equal: ({ op, x: [a, b] }) =>
    a.type === 'bool' ? op.Equal(op.cast(a, 'int32'), op.cast(b, 'int32')) : undefined,
  IsNaN: ({ op, x: [data] }) => op.Not(op.Equal(data, data)),
  IsInf: isInf,
  OneHot: oneHot,
  Split: split,
  Size: ({ op, x: [data] }) => op.scalar(elementCount(data.shape), 'int64'),
});

export const standard = lowerings({
  ...missingOnWebgpu,
  // Two operands: Add is the faster kernel. webgpu has no Sum at all.
  Sum: (context) => {
    const values = operands(context);
    return values.length <= 2 || context.provider === 'webgpu'
      ? addAll(context.op, values)
      : undefined;
  },
});
