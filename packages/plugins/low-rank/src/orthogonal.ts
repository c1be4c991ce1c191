import type { Op, Value } from '@gradware/core';

/** What is left of a column, as a part of it, below which it lies in the span of those before it: rounding is all
 *  that is left, and no direction of its own. */
const dependent = 1e-4;
/** Below it float32 loses digits. */
const smallestNormal = 2 ** -126;

/** Gram-Schmidt, each column twice (once leaves an error that grows with the condition of the matrix).
 *  Columns that depend on earlier ones become zero.
 *  @param matrix float32 [rows, columns], few columns
 *  @returns float32 [rows, columns]: QᵀQ is the identity, but for columns of zeros */
export function orthonormal(op: Op, matrix: Value): Value {
  const columns: Value[] = [];
  for (let j = 0; j < (matrix.shape[1] ?? 0); j++) {
    const column = scaledToOne(op, op.slice(matrix, 1, j, j + 1));
    const before = norm(op, column);
    const left = [0, 1].reduce((rest) => withoutSpan(op, rest, columns), column);
    const length = norm(op, left);
    // NaN is not below anything, and stays.
    const none = op.LessOrEqual(length, op.Mul(before, dependent));
    const factor = op.Where(none, 0, op.Div(op.scalar(1), op.Where(none, 1, length)));
    columns.push(op.Mul(left, factor));
  }
  return columns.length === 1 ? (columns[0] as Value) : op.Concat(...columns, { axis: 1 });
}

/** Divided by its largest element: squares of large and of small numbers leave the range of float32. */
function scaledToOne(op: Op, column: Value): Value {
  const largest = op.ReduceMax(op.Abs(column), { keepdims: 0 });
  return op.Div(column, op.Where(op.Less(largest, smallestNormal), 1, largest));
}

function norm(op: Op, column: Value): Value {
  return op.Sqrt(op.ReduceSumSquare(column, { keepdims: 0 }));
}

function withoutSpan(op: Op, column: Value, others: readonly Value[]): Value {
  if (others.length === 0) return column;
  const basis = others.length === 1 ? others[0] : op.Concat(...others, { axis: 1 });
  return op.Sub(column, op.MatMul(basis, op.Gemm(basis, column, { transA: 1 })));
}
