import type { Graph } from '../../onnx/ir.js';

/** Losses over classes: their first input has the scores. */
const classLosses =
  /^(SoftmaxCrossEntropyLoss(Internal)?|SparseSoftmaxCrossEntropy|NegativeLogLikelihoodLoss)$/;

/** What leaves the highest score the highest. */
const keepsOrder =
  /^(Cast|Flatten|Identity|LogSoftmax|Reshape|Sigmoid|Softmax|Squeeze|Transpose|Unsqueeze)$/;

/** Which outputs are the scores that the loss of a model compares with classes, in any form that has the same winner;
 *  undefined where no loss over classes is found. Others may have the shape of scores and be none. */
export function scoreOutputs(
  { nodes }: Graph,
  outputs: readonly string[],
): readonly string[] | undefined {
  const scores = new Set(
    nodes.flatMap(({ opType, inputs }) => (classLosses.test(opType) ? (inputs[0] ?? []) : [])),
  );
  if (scores.size === 0) return undefined;
  const links = nodes.flatMap(({ opType, inputs: [from], outputs: [to] }) =>
    keepsOrder.test(opType) && from !== undefined && to !== undefined ? [[from, to] as const] : [],
  );
  for (let before = 0; before < scores.size; ) {
    before = scores.size;
    for (const [from, to] of links) {
      if (scores.has(from)) scores.add(to);
      if (scores.has(to)) scores.add(from);
    }
  }
  return outputs.filter((name) => scores.has(name));
}
