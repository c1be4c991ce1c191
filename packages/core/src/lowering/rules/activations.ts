import { lowerings } from '../rule.js';

export const activations = lowerings({
  ReluGrad: ({ x: [dy, y], op }) => op.Where(op.Greater(y, 0), dy, 0),
  SigmoidGrad: ({ x: [dy, y], op }) => op.Mul(dy, op.Mul(y, op.Sub(1, y))),
});
