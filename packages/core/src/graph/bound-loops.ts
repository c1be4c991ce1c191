import type { Attribute, Graph, Node, TensorData } from '../onnx/ir.js';
import { subgraphs } from '../onnx/names.js';
import { constantAttribute } from './fold.js';

type ConstantOf = (name: string) => TensorData | undefined;

/** More turns than any loop makes whose trip count means something. */
const most = 2 ** 31;

/** The same nodes with loops of one turn where nothing but their condition would end them: on zeros it may never. A
 *  state that is carried along keeps its type and shape from turn to turn.
 *  @param once the name of a constant 1, which counts turns */
export function boundLoops(
  nodes: readonly Node[],
  constantOf: ConstantOf,
  once: string,
): readonly Node[] {
  const own = new Map(
    nodes.flatMap((node) =>
      node.opType === 'Constant' ? [[node.outputs[0], constantAttribute(node)] as const] : [],
    ),
  );
  const known: ConstantOf = (name) => own.get(name) ?? constantOf(name);
  const inside = (graph: Graph): Graph => ({
    ...graph,
    nodes: boundLoops(graph.nodes, (name) => graph.initializers.get(name) ?? known(name), once),
  });
  return nodes.map((node) => {
    if (subgraphs(node).length === 0) return node;
    const [trips = '', ...others] = node.inputs;
    const endless = trips === '' || Number(known(trips)?.data[0] ?? 0) > most;
    const inputs = node.opType === 'Loop' && endless ? [once, ...others] : node.inputs;
    const attributes = Object.entries(node.attributes).map(
      ([key, attribute]): [string, Attribute] =>
        attribute.type === 'graph'
          ? [key, { ...attribute, value: inside(attribute.value) }]
          : [key, attribute],
    );
    return { ...node, inputs, attributes: Object.fromEntries(attributes) };
  });
}
