import type { Attribute, Graph, Node } from './ir.js';

/** A graph with other names for all its values and nodes, in nested graphs too. '' stays ''. */
export function renameGraph(graph: Graph, rename: (name: string) => string): Graph {
  const value = (name: string) => (name === '' ? '' : rename(name));
  const named = <T extends { readonly name: string }>(info: T): T => ({
    ...info,
    name: value(info.name),
  });
  return {
    ...graph,
    nodes: graph.nodes.map((node) => renameNode(node, rename, value)),
    inputs: graph.inputs.map(named),
    outputs: graph.outputs.map(named),
    initializers: new Map([...graph.initializers].map(([name, tensor]) => [value(name), tensor])),
    valueInfo: new Map([...graph.valueInfo].map(([name, info]) => [value(name), named(info)])),
  };
}

function renameNode(
  node: Node,
  rename: (name: string) => string,
  value: (name: string) => string,
): Node {
  const attributes = Object.entries(node.attributes).map(
    ([key, attribute]): [string, Attribute] => {
      if (attribute.type === 'graph')
        return [key, { ...attribute, value: renameGraph(attribute.value, rename) }];
      if (attribute.type !== 'graphs') return [key, attribute];
      return [
        key,
        { ...attribute, value: attribute.value.map((each) => renameGraph(each, rename)) },
      ];
    },
  );
  return {
    ...node,
    name: value(node.name),
    inputs: node.inputs.map(value),
    outputs: node.outputs.map(value),
    attributes: Object.fromEntries(attributes),
  };
}
