import type { Node } from '../../onnx/ir.js';
import type { GraphBuilder } from '../builder.js';
import { plainNumbers } from '../constants.js';
import type { DecompositionContext, Values } from './decomposition.js';

/** What a decomposition may ask about a node of a graph. */
export function contextOf(
  builder: GraphBuilder,
  node: Node,
  longestUnrolled = Number.POSITIVE_INFINITY,
): DecompositionContext {
  const lookUp = (name: string) => (name === '' ? undefined : builder.value(name));
  return {
    x: node.inputs.map(lookUp) as unknown as Values,
    attributes: node.attributes,
    node,
    op: builder.op,
    emit: builder.emit,
    builder,
    longestUnrolled,
    has: (i) => (node.inputs[i] ?? '') !== '',
    wants: (i) => (node.outputs[i] ?? '') !== '',
    constant: (i) => {
      const tensor = builder.constant(node.inputs[i] ?? '');
      return tensor && plainNumbers(tensor.data);
    },
  };
}
