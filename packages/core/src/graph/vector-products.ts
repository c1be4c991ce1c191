import type { Node } from '../onnx/ir.js';
import type { GraphBuilder, Op } from './builder.js';
import type { Value } from './value.js';

/** Whether a product is one of matrices and a vector. Where the matrices are transposed, ONNX Runtime fuses that into
 *  the product, and multiplies by matrices that are not. */
export function isTimesVector(matrices: Value | undefined, vector: Value | undefined): boolean {
  return vector?.shape.length === 1 && (matrices?.shape.length ?? 0) > 1;
}

/** The product of matrices and a vector, as that with a matrix of one column. */
export function timesVector(op: Op, matrices: Value, vector: Value): Value {
  const product = op.MatMul(matrices, op.Unsqueeze(vector, op.ints([1])));
  return op.Squeeze(product, op.ints([matrices.shape.length - 1]));
}

/** Writes every product of matrices and a vector as one of matrices. Names of values stay. */
export function avoidVectorProducts(builder: GraphBuilder): void {
  const operands = ({ inputs }: Node) => inputs.map((name) => builder.values.get(name));
  const isWrong = (node: Node) => {
    const [matrices, vector] = operands(node);
    return node.opType === 'MatMul' && node.domain === '' && isTimesVector(matrices, vector);
  };
  if (!builder.nodes.some(isWrong)) return;
  for (const node of builder.takeSince(0)) {
    if (!isWrong(node)) {
      builder.add(node, []);
      continue;
    }
    const [matrices, vector] = operands(node) as [Value, Value];
    const product = builder.scoped(node.name, () => timesVector(builder.op, matrices, vector));
    builder.emit('Identity', [product], {}, { outputs: node.outputs, name: node.name });
  }
}
