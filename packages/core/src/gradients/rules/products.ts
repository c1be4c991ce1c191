import type { Op } from '../../graph/builder.js';
import { elementCount, float, int, type Value } from '../../graph/value.js';
import { type GradientContext, rules } from '../rule.js';

/** op(a)·op(b) of two matrices, or of two stacks of matrices that broadcast. */
function product(
  op: Op,
  a: Value,
  b: Value,
  { transA = 0, transB = 0, alpha = 1 }: { transA?: number; transB?: number; alpha?: number },
): Value {
  const attributes = { transA, transB, alpha };
  const flat = a.shape.length === 2 && b.shape.length === 2;
  return flat ? op.Gemm(a, b, attributes) : op.FusedMatMul(a, b, attributes);
}

/** Joins the leading axes of a stack of matrices. */
function rowsOf(op: Op, value: Value): Value {
  const columns = value.shape.at(-1) ?? 1;
  return op.reshape(value, [elementCount(value.shape.slice(0, -1)), columns]);
}

/** dA = dY·Bᵀ, dB = Aᵀ·dY. Vectors are taken as a matrix with one row or one column, as the forward op does. */
function matMul({ dy, x: [a, b], op }: GradientContext): readonly Value[] {
  const rows = a.shape.length === 1 ? op.reshape(a, [1, ...a.shape]) : a;
  const columns = b.shape.length === 1 ? op.reshape(b, [...b.shape, 1]) : b;
  const batch = dy.shape.slice(
    0,
    dy.shape.length - (a.shape.length > 1 ? 1 : 0) - (b.shape.length > 1 ? 1 : 0),
  );
  const full = op.reshape(dy, [...batch, rows.shape.at(-2) ?? 1, columns.shape.at(-1) ?? 1]);
  if (columns.shape.length === 2) {
    // One matrix for the whole stack: a single product of all rows, no sum over the stack afterwards.
    const [flatDy, flatA] = [rowsOf(op, full), rowsOf(op, rows)];
    return [
      op.reshape(product(op, flatDy, columns, { transB: 1 }), a.shape),
      op.reshape(product(op, flatA, flatDy, { transA: 1 }), b.shape),
    ];
  }
  const da = product(op, full, columns, { transB: 1 });
  const db = product(op, rows, full, { transA: 1 });
  return [op.reshape(op.sumTo(rows, da), a.shape), op.reshape(op.sumTo(columns, db), b.shape)];
}

/** Y = α·op(A)·op(B) + β·C. */
function gemm({ dy, x: [a, b, c], has, attributes, op }: GradientContext) {
  const transA = int(attributes, 'transA', 0);
  const transB = int(attributes, 'transB', 0);
  const alpha = float(attributes, 'alpha', 1);
  const beta = float(attributes, 'beta', 1);
  const da = transA
    ? product(op, b, dy, { transA: transB, transB: 1, alpha })
    : product(op, dy, b, { transB: 1 - transB, alpha });
  const db = transB
    ? product(op, dy, a, { transA: 1, transB: transA, alpha })
    : product(op, a, dy, { transA: 1 - transA, alpha });
  if (!has(2)) return [da, db];
  const dc = op.sumTo(c, dy);
  return [da, db, beta === 1 ? dc : op.Mul(dc, beta)];
}

/** dX = -Yᵀ·dY·Yᵀ, one matrix at a time. */
function inverse({ dy, y, op }: GradientContext): readonly Value[] {
  const axes = [...y.shape.keys()];
  const turned = op.transpose(y, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]);
  return [op.Neg(op.MatMul(op.MatMul(turned, dy), turned))];
}

export const products = rules({ MatMul: matMul, Gemm: gemm, Inverse: inverse });
