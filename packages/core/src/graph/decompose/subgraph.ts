import type { Graph, Node } from '../../onnx/ir.js';
import type { GraphBuilder } from '../builder.js';
import { constantAttribute } from '../fold.js';
import { renameNode } from '../inline.js';
import { sortNodes } from '../order.js';
import type { Value } from '../value.js';

/** Emits the nodes of a nested graph into the graph around it.
 *  @param bound what stands for the inputs of the graph, and for values that it captures where not themselves
 *  @param takeApart emits a node with graphs of its own; `ownName` is without that of the graphs around it
 *  @returns the outputs, in order */
export function inlineGraph(
  builder: GraphBuilder,
  graph: Graph,
  bound: ReadonlyMap<string, Value>,
  takeApart: (node: Node, ownName: string) => readonly (Value | undefined)[] | undefined,
): readonly Value[] {
  const known = new Map(bound);
  for (const [name, tensor] of graph.initializers)
    known.set(name, builder.initializer(builder.fresh(name), tensor));
  const look = (name: string): Value => known.get(name) ?? builder.value(name);
  for (const node of sortNodes(graph.nodes)) {
    const tensor = node.opType === 'Constant' ? constantAttribute(node) : undefined;
    if (tensor !== undefined) {
      known.set(node.outputs[0] ?? '', builder.initializer(builder.fresh(node.name), tensor));
      continue;
    }
    const operands = node.inputs.map((name) => (name === '' ? undefined : look(name)));
    const outer = renameNode(node, (name) =>
      node.outputs.includes(name) ? name : look(name).name,
    );
    const ownName = node.name || node.opType;
    const name = builder.fresh(ownName);
    const made =
      takeApart({ ...outer, name }, ownName) ??
      builder.emit(node.opType, operands, outer.attributes, {
        domain: node.domain,
        name,
        outputs: node.outputs.map((output) => (output === '' ? '' : builder.fresh(output))),
      });
    node.outputs.forEach((output, i) => {
      const value = made[i];
      if (value !== undefined) known.set(output, value);
    });
  }
  return graph.outputs.map(({ name }) => look(name));
}
