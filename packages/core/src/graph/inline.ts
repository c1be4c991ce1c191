import { GradwareError } from '../errors.js';
import type { FunctionDefinition, Graph, Model, Node } from '../onnx/ir.js';
import { freshName, ownNames, subgraphs } from '../onnx/names.js';
import { identityNode } from './identity.js';

/** What a few nested functions may grow to; a small file can ask for any number. */
const mostNodes = 200_000;

type Rename = (name: string) => string;

/** A node under other names; what its nested graphs take from outside is renamed, too. */
export function renameNode(node: Node, rename: Rename): Node {
  const named = (name: string) => (name === '' ? '' : rename(name));
  const renamed = { ...node, inputs: node.inputs.map(named), outputs: node.outputs.map(named) };
  return mapSubgraphs(renamed, (graph) => renameCaptures(graph, rename));
}

/** A graph whose captures, which are all that it does not make itself, have other names. */
export function renameCaptures(graph: Graph, rename: Rename): Graph {
  const own = ownNames(graph);
  const outer = (name: string) => (own.has(name) ? name : rename(name));
  return {
    ...graph,
    nodes: graph.nodes.map((node) => renameNode(node, outer)),
    outputs: graph.outputs.map((output) => ({ ...output, name: outer(output.name) })),
  };
}

const keyOf = ({ domain, name }: { readonly domain: string; readonly name: string }) =>
  `${domain}:${name}`;

/** Counts what calls grow to, each function once.
 *  @throws GradwareError INVALID_MODEL for more than can be meant */
function refuseGrowth(
  nodes: readonly Node[],
  definitionOf: (node: Node) => FunctionDefinition | undefined,
): void {
  const sizes = new Map<FunctionDefinition, number>();
  const sizeOf = (all: readonly Node[]): number =>
    all.reduce((sum, node) => {
      const inside = subgraphs(node).reduce((total, graph) => total + sizeOf(graph.nodes), 0);
      return sum + 1 + inside + called(definitionOf(node));
    }, 0);
  const called = (definition: FunctionDefinition | undefined): number => {
    if (definition === undefined) return 0;
    const known = sizes.get(definition);
    if (known !== undefined) return known;
    // One that calls itself is found when it is put in place.
    sizes.set(definition, 0);
    const size = sizeOf(definition.nodes);
    sizes.set(definition, size);
    return size;
  };
  if (sizeOf(nodes) <= mostNodes) return;
  throw new GradwareError('INVALID_MODEL', `The functions call more than ${mostNodes} nodes`, {
    remedy: 'Export a smaller model, or one whose functions call each other less often.',
  });
}

/** Puts the bodies of model-local functions where they are called, in nested graphs too.
 *  @throws GradwareError INVALID_MODEL for functions that call themselves, or that grow beyond all measure */
export function inlineFunctions(model: Model): Model {
  if (model.functions.length === 0) return model;
  const definitions = new Map(model.functions.map((own) => [keyOf(own), own]));
  const names = new Set<string>();
  const definitionOf = ({ domain, opType }: Node) =>
    definitions.get(keyOf({ domain, name: opType }));
  refuseGrowth(model.graph.nodes, definitionOf);

  const fresh = (hint: string) => freshName(names, hint);

  function call(node: Node, definition: FunctionDefinition, path: readonly string[]) {
    const key = keyOf(definition);
    if (path.includes(key))
      throw new GradwareError('INVALID_MODEL', `The function ${definition.name} calls itself`, {
        where: `node ${node.name || node.outputs[0]}`,
        remedy: 'Export the model again: a function is made of others.',
      });
    const scope = node.name || node.outputs[0] || definition.name;
    const known = new Map<string, string>();
    definition.inputs.forEach((name, i) => {
      known.set(name, node.inputs[i] ?? '');
    });
    const copies: Node[] = [];
    definition.outputs.forEach((name, i) => {
      const output = node.outputs[i] ?? '';
      if (output === '') return;
      const given = known.get(name);
      // An input that is handed through.
      if (given === undefined) known.set(name, output);
      else copies.push(identityNode(given, output));
    });
    const rename: Rename = (name) => {
      const mapped = known.get(name) ?? fresh(`${scope}/${name}`);
      known.set(name, mapped);
      return mapped;
    };
    const body = definition.nodes.map((inner) => {
      const renamed = renameNode(
        bindAttributes(inner, node.attributes, definition.defaults),
        rename,
      );
      return { ...renamed, name: fresh(`${scope}/${inner.name || inner.opType}`) };
    });
    return [...expand(body, [...path, key]), ...copies];
  }

  function expand(nodes: readonly Node[], path: readonly string[]): readonly Node[] {
    return nodes.flatMap((node) => {
      const definition = definitionOf(node);
      if (definition !== undefined) return call(node, definition, path);
      return [mapSubgraphs(node, (graph) => ({ ...graph, nodes: expand(graph.nodes, path) }))];
    });
  }

  collect(model.graph, names);
  const nodes = expand(model.graph.nodes, []);
  return { ...model, graph: { ...model.graph, nodes }, functions: [] };
}

function collect(graph: Graph, names: Set<string>): void {
  for (const { name } of [...graph.inputs, ...graph.outputs]) names.add(name);
  for (const name of graph.initializers.keys()) names.add(name);
  for (const node of graph.nodes) {
    names.add(node.name);
    for (const name of [...node.inputs, ...node.outputs]) names.add(name);
    for (const nested of subgraphs(node)) collect(nested, names);
  }
}

export function mapSubgraphs(node: Node, map: (graph: Graph) => Graph): Node {
  if (subgraphs(node).length === 0) return node;
  const attributes = Object.entries(node.attributes).map(([key, attribute]) => {
    if (attribute.type === 'graph')
      return [key, { ...attribute, value: map(attribute.value) }] as const;
    if (attribute.type === 'graphs')
      return [key, { ...attribute, value: attribute.value.map(map) }] as const;
    return [key, attribute] as const;
  });
  return { ...node, attributes: Object.fromEntries(attributes) };
}

type Attributes = Node['attributes'];

/** Attributes that a function takes from its caller, or from its own defaults; absent where neither has it. */
function bindAttributes(node: Node, given: Attributes, defaults: Attributes): Node {
  const bound = Object.entries(node.attributes).flatMap(([key, attribute]) => {
    if (attribute.type !== 'reference') return [[key, attribute] as const];
    const value = given[attribute.value] ?? defaults[attribute.value];
    return value === undefined ? [] : [[key, value] as const];
  });
  return mapSubgraphs({ ...node, attributes: Object.fromEntries(bound) }, (graph) => ({
    ...graph,
    nodes: graph.nodes.map((inner) => bindAttributes(inner, given, defaults)),
  }));
}
