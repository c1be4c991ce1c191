import { elementTypes } from '../onnx/element-types.js';
import type { DataType, TensorData } from '../onnx/ir.js';
import { filled, tensorOf } from './constants.js';
import { gradware } from './dialect.js';
import type { GraphBuilder, Op, OpHelpers } from './op.js';
import { reducedAxes } from './shapes/training.js';
import { elementCount, sameShape, type TensorType, type Value } from './value.js';

/** Up to here one running float32 sum is right to 1e-6; at a million elements it is short by 2e-5. */
const shortSum = 2 ** 17;

/** Adds up all elements: row by row where there are many, which keeps the digits that one long sum would lose. */
function longSum(op: Op, value: Value): Value {
  const count = elementCount(value.shape);
  const columns = count > shortSum ? divisorNear(count, Math.sqrt(count)) : undefined;
  if (columns === undefined) return op.sum(value);
  const rows = op.reshape(value, [count / columns, columns]);
  return op.ReduceSum(op.ReduceSum(rows, op.ints([1]), { keepdims: 0 }), { keepdims: 0 });
}

/** The divisor of `count` next to `wanted`, within a factor of 16. */
export function divisorNear(count: number, wanted: number): number | undefined {
  const start = Math.round(wanted);
  for (let far = 0; far < wanted * 15; far++) {
    if (start - far > wanted / 16 && count % (start - far) === 0) return start - far;
    if (count % (start + far) === 0) return start + far;
  }
  return undefined;
}

export function helpers(
  op: Op,
  builder: GraphBuilder,
  literal: (number: number, type: DataType) => Value,
): OpHelpers {
  const shared = new Map<string, Value>();

  function constant(tensor: TensorData): Value {
    return builder.initializer(builder.fresh('constant'), tensor);
  }

  function ints(values: readonly number[]): Value {
    const key = `ints:${values}`;
    const value = shared.get(key) ?? constant(tensorOf('int64', values));
    shared.set(key, value);
    return value;
  }

  function repeated({ type, shape }: TensorType, value: number): Value {
    return op.ConstantOfShape(ints(shape), { value: tensorOf(type, [value]) });
  }

  function sum(value: Value, axes?: readonly number[], keepdims = false): Value {
    const rank = value.shape.length;
    if (axes?.length === 0 || rank === 0) return value;
    const all = axes === undefined || axes.length === rank;
    const keep = { keepdims: keepdims ? 1 : 0 };
    return all ? op.ReduceSum(value, keep) : op.ReduceSum(value, ints(axes), keep);
  }

  return {
    scalar: (value, type = 'float32') => literal(value, type),
    constant,
    ints,
    filled: ({ type, shape }, value) =>
      shape.length === 0 ? literal(value, type) : constant(filled(type, shape, value)),
    zeros: (like) => repeated(like, 0),
    ones: (like) => repeated(like, 1),
    cast: (value, type) =>
      value.type === type ? value : op.Cast(value, { to: elementTypes[type].code }),
    reshape: (value, shape) =>
      sameShape(value.shape, shape)
        ? value
        : op.Reshape(value, ints(shape), { allowzero: shape.includes(0) ? 1 : 0 }),
    transpose: (value, perm) =>
      perm.every((axis, i) => axis === i) ? value : op.Transpose(value, { perm }),
    sum,
    mean(value, axes, keepdims = false) {
      if (axes?.length === 0 || value.shape.length === 0) return value;
      const keep = { keepdims: keepdims ? 1 : 0 };
      return axes === undefined
        ? op.ReduceMean(value, keep)
        : op.ReduceMean(value, ints(axes), keep);
    },
    slice: (value, axis, start, end) => op.Slice(value, ints([start]), ints([end]), ints([axis])),
    sumTo(target, gradient) {
      if (sameShape(target.shape, gradient.shape)) return gradient;
      const axes = reducedAxes(target.shape, gradient.shape).sort((a, b) => a - b);
      // Where only leading axes go, the sum itself has the shape of the target.
      const keep = axes.length > gradient.shape.length - target.shape.length;
      const reduced = axes.length === 0 ? gradient : sum(gradient, axes, keep);
      return op.reshape(reduced, target.shape);
    },
    globalNorm(values) {
      const squares = values
        .filter((value) => elementCount(value.shape) > 0)
        .map((value) => op.ReduceSumSquare(op.cast(value, 'float32'), { keepdims: 0 }));
      return squares.length === 0 ? literal(0, 'float32') : op.Sqrt(op.Sum(...squares));
    },
    total(values) {
      const sums = values
        .filter((value) => elementCount(value.shape) > 0)
        .map((value) => longSum(op, op.cast(value, 'float32')));
      return sums.length === 0 ? literal(0, 'float32') : op.Sum(...sums);
    },
    infNorms(values) {
      const flat = values.map((value) =>
        elementCount(value.shape) === 0
          ? op.filled({ type: 'float32', shape: [1] }, 0)
          : op.reshape(op.cast(value, 'float32'), [elementCount(value.shape)]),
      );
      const all = (extremes: readonly Value[]) =>
        extremes.length === 1 ? (extremes[0] as Value) : op.Concat(...extremes, { axis: 0 });
      const most = all(flat.map((value) => op.ReduceMax(value, { keepdims: 1 })));
      const least = all(flat.map((value) => op.ReduceMin(value, { keepdims: 1 })));
      return op.Max(most, op.Neg(least));
    },
    dot: (a, b) =>
      op.total(
        a.map((value, i) => {
          const [x, y] = [value, b[i] as Value].map((each) => op.cast(each, 'float32'));
          return op.Mul(x, y);
        }),
      ),
    angle(a, b) {
      const { globalNorm, dot } = op;
      const cosine = op.Div(op.Div(dot(a, b), globalNorm(a)), globalNorm(b));
      return op.Mul(op.Acos(op.Clip(cosine, -1, 1)), 180 / Math.PI);
    },
    isFinite(...values) {
      const differences = values.map((value) => sum(op.Sub(value, value)));
      const [first, ...rest] = differences;
      if (first === undefined) return literal(1, 'bool');
      return op.Equal(
        rest.reduce((total, difference) => op.Add(total, difference), first),
        0,
      );
    },
    select(condition, whenTrue, whenFalse) {
      return builder.emit(
        'Select',
        [condition, ...whenTrue, ...whenFalse],
        {},
        {
          domain: gradware,
          types: whenTrue,
        },
      );
    },
  };
}
