import {
  boolean,
  constant,
  definePlugin,
  elementCount,
  integer,
  type Op,
  type Payload,
  type PluginContext,
  type Value,
} from '@gradware/core';
import { orthonormal } from './orthogonal.js';

/** Approximates every gradient by a matrix of rank r, with one step of the power method.
 *
 *      P ← orthonormal(M Q)      Q ← Mᵀ P      g ← P Qᵀ
 *
 *  (PowerSGD, Vogels, Karimireddy and Jaggi 2019, Algorithm 1.) M is the gradient as a matrix [first axis, all others].
 *  Q is kept from step to step, so that the power method goes on; it begins, and each of its columns that has died
 *  begins again, with random numbers. Vectors, and matrices of which P and Q would not be smaller, stay as they are.
 *  What is sent: P and Q as float32. */
export const lowRank = definePlugin({
  name: 'low-rank',
  description: 'Approximates gradients by matrices of low rank (PowerSGD).',
  role: 'compress',
  options: {
    rank: constant(integer(1, 64), 2, 'rank of the approximation'),
    warmStart: constant(boolean, true, 'begins where the step before ended, not at random'),
  },
  encode(gradient, context, { rank, warmStart }): Payload {
    const { op } = context;
    const size = matrixOf(gradient.shape, rank);
    if (size === undefined) return { gradient };
    const matrix = op.reshape(op.cast(gradient, 'float32'), [size.rows, size.columns]);
    const start = startOf(gradient, [rank, size.columns], context, warmStart);
    const p = orthonormal(op, op.Gemm(matrix, start.value, { transB: 1 }));
    return { p, q: start.keep(op.Gemm(p, matrix, { transA: 1 })) };
  },
  decode(payload, { op }, _, like) {
    const { gradient, p, q } = payload as Readonly<Record<'gradient' | 'p' | 'q', Value>>;
    if (gradient !== undefined) return gradient;
    return op.cast(op.reshape(op.MatMul(p, q), like.shape), like.type);
  },
});

interface Size {
  readonly rows: number;
  readonly columns: number;
}

/** The gradient as a matrix; undefined where P and Q would not be smaller. */
function matrixOf(shape: readonly number[], rank: number): Size | undefined {
  const [rows = 1, ...rest] = shape;
  const columns = elementCount(rest);
  return rank * (rows + columns) < rows * columns ? { rows, columns } : undefined;
}

/** Qᵀ [rank, columns] to begin with, rows of length one, and what remembers the one that follows. */
function startOf(
  gradient: Value,
  shape: readonly number[],
  { op, state, random }: PluginContext,
  warmStart: boolean,
): { readonly value: Value; keep(next: Value): Value } {
  const like: Value = { ...gradient, type: 'float32', shape };
  const chance = op.Sub(random({ like }), 0.5);
  if (!warmStart) return { value: unitRows(op, chance), keep: (next) => next };
  const q = state('q', { like, shape });
  // Not the maximum, which does not see NaN.
  const alive = op.Greater(op.sum(op.Abs(q.value), [1], true), 0);
  return { value: unitRows(op, op.Where(alive, q.value, chance)), keep: (next) => q.set(next) };
}

/** Rows divided by their largest element, so that the size of gradients does not build up. */
function unitRows(op: Op, matrix: Value): Value {
  return op.Div(matrix, op.ReduceMax(op.Abs(matrix), op.ints([1]), { keepdims: 1 }));
}
