import { rules } from '../rule.js';

export const elementwise = rules({
  Add: ({ dy, x: [a, b], op }) => [op.sumTo(a, dy), op.sumTo(b, dy)],
  Sub: ({ dy, x: [a, b], op }) => [op.sumTo(a, dy), op.sumTo(b, op.Neg(dy))],
  Mul: ({ dy, x: [a, b], op }) => [op.sumTo(a, op.Mul(dy, b)), op.sumTo(b, op.Mul(dy, a))],
  Neg: ({ dy, op }) => [op.Neg(dy)],
  Relu: ({ dy, y, op }) => [op.ReluGrad(dy, y)],
  Sqrt: ({ dy, y, op }) => [op.Div(op.Mul(dy, 0.5), y)],
});
