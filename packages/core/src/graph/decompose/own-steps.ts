import type { Graph } from '../../onnx/ir.js';
import { subgraphs } from '../../onnx/names.js';
import { fusedOps, keyOf, rareOps, takenApart } from './table.js';

/** Whether every step of a body must have nodes of its own: steps differ in more than what they are given (by random
 *  numbers, or by a branch), or hold what becomes something else to have a gradient. */
export function needsOwnSteps(body: Graph): boolean {
  return body.nodes.some(
    (node) =>
      subgraphs(node).length > 0 ||
      /^(BatchNormalization|Dropout|Random|Bernoulli)/.test(node.opType) ||
      Object.hasOwn(takenApart, keyOf(node)) ||
      [...rareOps, ...fusedOps].some((name) => name === keyOf(node)),
  );
}
