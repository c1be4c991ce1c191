import { constantAttribute } from '../../graph/fold.js';
import { mapSubgraphs, renameCaptures } from '../../graph/inline.js';
import { elementCount } from '../../graph/value.js';
import { isFloatType } from '../../onnx/element-types.js';
import type { FunctionDefinition, Graph, Model, Node, TensorData } from '../../onnx/ir.js';
import { freshName, subgraphs, usedNames } from '../../onnx/names.js';

const isWeight = ({ type, dims }: TensorData) => isFloatType(type) && elementCount(dims) > 1;

/** Whether bodies of branches and loops hold weights that are initializers. */
function holdsInitializers({ nodes }: Graph): boolean {
  return nodes
    .flatMap(subgraphs)
    .some((graph) => [...graph.initializers.values()].some(isWeight) || holdsInitializers(graph));
}

/** The names of all values, in nested graphs too, each as often as it is given. */
function defined(graph: Graph): readonly string[] {
  return [
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap((node) => [...node.outputs, ...subgraphs(node).flatMap(defined)]),
  ];
}

const keyOf = (domain: string, name: string) => `${domain}:${name}`;

/** A function that takes the weights of its body, and of those that it calls, as further inputs. */
interface Opened {
  readonly definition: FunctionDefinition;
  /** The initializers that callers hand over. */
  readonly weights: readonly string[];
}

/** Where a weight of a nested graph goes: the name that it has there. */
type Put = (name: string, tensor: TensorData) => string;

type Held = (node: Node) => readonly (readonly [string, TensorData])[];

const heldByConstant: Held = (node) => {
  const tensor = node.opType === 'Constant' ? constantAttribute(node) : undefined;
  return tensor ? [[node.outputs[0] ?? '', tensor]] : [];
};

/** A node whose nested graphs take their weights from around them, as they see the names there. */
function hoisted(node: Node, held: Held, put: Put): Node {
  return mapSubgraphs(node, (graph) => {
    const results = new Set(graph.outputs.map(({ name }) => name));
    const moved = new Map<string, string>();
    for (const [name, tensor] of [...graph.initializers, ...graph.nodes.flatMap(held)])
      if (isWeight(tensor) && !results.has(name)) moved.set(name, put(name, tensor));
    const stays = (name = '') => !moved.has(name);
    const freed = {
      ...graph,
      nodes: graph.nodes.filter(({ outputs }) => stays(outputs[0])),
      initializers: new Map([...graph.initializers].filter(([name]) => stays(name))),
    };
    const renamed = renameCaptures(freed, (name) => moved.get(name) ?? name);
    return { ...renamed, nodes: renamed.nodes.map((inner) => hoisted(inner, held, put)) };
  });
}

/** A model whose own graph has the weights that bodies of functions, branches and loops hold: functions have no
 *  initializers, so that exporters write Constant nodes there; in branches and loops of the graph itself Constant nodes
 *  are weights only where the whole model has no other. All calls of one function share its weights. */
export function withWeightsOutside(model: Model): Model {
  const names = new Set<string>();
  const ambiguous = new Set<string>();
  for (const name of defined(model.graph)) (names.has(name) ? ambiguous : names).add(name);
  const initializers = new Map(model.graph.initializers);
  const definitions = new Map(model.functions.map((own) => [keyOf(own.domain, own.name), own]));
  const opened = new Map<string, Opened | undefined>();

  const put: Put = (name, tensor) => {
    initializers.set(name, tensor);
    return name;
  };

  function open(key: string): Opened | undefined {
    const definition = definitions.get(key);
    if (definition === undefined || opened.has(key)) return opened.get(key);
    // A function that calls itself is refused where it is put in.
    opened.set(key, undefined);
    const formals = new Map<string, string>();
    const own = new Set(definition.inputs);
    for (const node of definition.nodes)
      for (const name of [...usedNames(node), ...node.outputs, ...subgraphs(node).flatMap(defined)])
        own.add(name);
    const given = (name: string, formal: string, tensor: TensorData) => {
      formals.set(put(freshName(names, `${definition.name}/${name}`), tensor), formal);
      return formal;
    };
    const kept = definition.nodes.flatMap((node) => {
      const [[output, tensor] = []] = heldByConstant(node);
      if (!output || !tensor || !isWeight(tensor) || definition.outputs.includes(output))
        return [
          hoisted(node, heldByConstant, (name, inner) => given(name, freshName(own, name), inner)),
        ];
      given(output, output, tensor);
      return [];
    });
    const nodes = called(kept, (weight) => {
      const formal = formals.get(weight) ?? freshName(own, weight);
      formals.set(weight, formal);
      return formal;
    });
    const inputs = [...definition.inputs, ...formals.values()];
    const result = { definition: { ...definition, nodes, inputs }, weights: [...formals.keys()] };
    opened.set(key, result);
    return result;
  }

  /** Nodes whose calls hand over what they have to. */
  function called(nodes: readonly Node[], nameOf: (weight: string) => string): readonly Node[] {
    return nodes.map((node) => {
      const inside = mapSubgraphs(node, (graph) => ({
        ...graph,
        nodes: called(graph.nodes, nameOf),
      }));
      const callee = open(keyOf(node.domain, node.opType));
      if (callee === undefined || callee.weights.length === 0) return inside;
      const count = callee.definition.inputs.length - callee.weights.length;
      const given = Array.from({ length: count }, (_, i) => node.inputs[i] ?? '');
      return { ...inside, inputs: [...given, ...callee.weights.map(nameOf)] };
    });
  }

  /** Where no weight is an initializer, Constant nodes hold them. */
  const constants = ![...initializers.values()].some(isWeight) && !holdsInitializers(model.graph);
  const held: Held = constants ? heldByConstant : () => [];

  const nodes = called(model.graph.nodes, (weight) => weight).map((node) =>
    hoisted(node, held, (name, tensor) =>
      put(ambiguous.has(name) ? freshName(names, name) : name, tensor),
    ),
  );
  // What nobody calls keeps its constants.
  const functions = model.functions.map(
    (own) => opened.get(keyOf(own.domain, own.name))?.definition ?? own,
  );
  return { ...model, graph: { ...model.graph, nodes, initializers }, functions };
}
