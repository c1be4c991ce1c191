import { GradwareError } from '../errors.js';
import type { FunctionDefinition, Graph, Model, Node } from './ir.js';
import { subgraphs, usedNames } from './names.js';
import { exportAgain } from './remedies.js';

/** A model that holds together: every name has one definition, every use has a definition before it.
 *  Nodes that only stand in the wrong order are put into topological order (of subgraphs too).
 *  @throws GradwareError INVALID_MODEL for a name defined twice or not at all, a cycle, a function that calls itself. */
export function validateModel(model: Model, file: string): Model {
  checkFunctions(model.functions, file);
  const functions = model.functions.map((definition) => {
    const where = `${file}, function "${definition.name}"`;
    const defined = define(definition.inputs, definition.nodes, where);
    requireOutputs(definition.outputs, defined, where);
    const nodes = orderNodes(definition.nodes, defined, new Set(), where);
    return nodes === definition.nodes ? definition : { ...definition, nodes };
  });
  return { ...model, functions, graph: validateGraph(model.graph, new Set(), file) };
}

function validateGraph(graph: Graph, outer: ReadonlySet<string>, where: string): Graph {
  const inputs = graph.inputs.map(({ name }) => name);
  // Initializers may be listed among the inputs, but what a node gives may be neither.
  const repeated = firstRepeated(inputs);
  if (repeated !== undefined) invalid(`The input "${repeated}" is there twice`, where);
  const given = new Set([...inputs, ...graph.initializers.keys()]);
  const defined = define([...given], graph.nodes, where);
  requireOutputs(
    graph.outputs.map(({ name }) => name),
    new Set([...defined, ...outer]),
    where,
  );
  const nodes = orderNodes(graph.nodes, defined, outer, where);
  return nodes === graph.nodes ? graph : { ...graph, nodes };
}

const invalid = (problem: string, where: string): never => {
  throw new GradwareError('INVALID_MODEL', problem, { where, remedy: exportAgain });
};

function firstRepeated(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size);
}

/** All names that a graph defines. */
function define(given: readonly string[], nodes: readonly Node[], where: string): Set<string> {
  const defined = new Set(given);
  for (const node of nodes) {
    for (const output of node.outputs) {
      if (output === '') continue;
      if (defined.has(output)) {
        invalid(`The value "${output}" is defined twice`, `${where}, ${title(node)}`);
      }
      defined.add(output);
    }
  }
  return defined;
}

function requireOutputs(
  outputs: readonly string[],
  defined: ReadonlySet<string>,
  where: string,
): void {
  const missing = outputs.find((name) => !defined.has(name));
  if (missing !== undefined) invalid(`Nothing defines the output "${missing}"`, where);
}

const title = (node: Node): string =>
  `node "${node.name || node.outputs[0] || '?'}" (${node.opType})`;

function validateSubgraphs(node: Node, scope: ReadonlySet<string>, where: string): Node {
  if (subgraphs(node).length === 0) return node;
  const attributes = Object.entries(node.attributes).map(([name, attribute]) => {
    const place = `${where}, ${title(node)}, attribute "${name}"`;
    const check = (graph: Graph): Graph => validateGraph(graph, scope, place);
    if (attribute.type === 'graph') return [name, { ...attribute, value: check(attribute.value) }];
    if (attribute.type !== 'graphs') return [name, attribute];
    return [name, { ...attribute, value: attribute.value.map(check) }];
  });
  return { ...node, attributes: Object.fromEntries(attributes) };
}

/** The nodes so that each follows those it depends on: the same array where it was so already. */
function orderNodes(
  nodes: readonly Node[],
  defined: ReadonlySet<string>,
  outer: ReadonlySet<string>,
  where: string,
): readonly Node[] {
  const needs = nodes.map(usedNames);
  const producer = new Map<string, number>();
  nodes.forEach((node, index) => {
    for (const output of node.outputs) if (output !== '') producer.set(output, index);
  });
  for (const [index, names] of needs.entries()) {
    const missing = names.find((name) => !defined.has(name) && !outer.has(name));
    if (missing !== undefined) {
      invalid(`Nothing defines the value "${missing}"`, `${where}, ${title(nodes[index]!)}`);
    }
  }
  const scope = new Set([...outer, ...defined]);
  const checked = nodes.map((node) => validateSubgraphs(node, scope, where));
  const dependencies = needs.map((names) => [
    ...new Set(names.flatMap((name) => producer.get(name) ?? [])),
  ]);
  const order = sortTopologically(dependencies);
  if (order.length < nodes.length) {
    const cycle = findCycle(dependencies).map((index) => title(nodes[index]!));
    invalid(`Nodes depend on each other: ${cycle.join(' → ')}`, where);
  }
  const changed = order.some((from, to) => from !== to || checked[from] !== nodes[from]);
  return changed ? order.map((index) => checked[index]!) : nodes;
}

/** Indices so that dependencies come first (unchanged where they do already); those of cycles are missing. */
function sortTopologically(dependencies: readonly (readonly number[])[]): number[] {
  const sorted = dependencies.every((list, index) => list.every((other) => other < index));
  if (sorted) return dependencies.map((_, index) => index);
  const waiting = dependencies.map((list) => list.length);
  const dependents: number[][] = dependencies.map(() => []);
  dependencies.forEach((list, index) => {
    for (const other of list) dependents[other]!.push(index);
  });
  const order: number[] = [];
  const queue = waiting.flatMap((count, index) => (count === 0 ? [index] : []));
  for (let at = 0; at < queue.length; at++) {
    const index = queue[at]!;
    order.push(index);
    for (const next of dependents[index]!) {
      waiting[next]!--;
      if (waiting[next] === 0) queue.push(next);
    }
  }
  return order;
}

/** One cycle among dependencies that have one. */
function findCycle(dependencies: readonly (readonly number[])[]): readonly number[] {
  const finished = new Set(sortTopologically(dependencies));
  const visited = new Set<number>();
  let current = dependencies.findIndex((_, index) => !finished.has(index));
  while (!visited.has(current)) {
    visited.add(current);
    current = dependencies[current]!.find((other) => !finished.has(other))!;
  }
  const path = [...visited];
  return [...path.slice(path.indexOf(current)), current];
}

const functionKey = (domain: string, name: string): string => `${domain}:${name}`;

function checkFunctions(functions: readonly FunctionDefinition[], file: string): void {
  const keys = functions.map(({ domain, name }) => functionKey(domain, name));
  const repeated = firstRepeated(keys);
  if (repeated !== undefined) invalid(`The function "${repeated}" is defined twice`, file);
  const indices = new Map(keys.map((key, index) => [key, index]));
  const calls = functions.map(({ nodes }) => [
    ...new Set(
      allNodes(nodes).flatMap(
        ({ domain, opType }) => indices.get(functionKey(domain, opType)) ?? [],
      ),
    ),
  ]);
  if (sortTopologically(calls).length < functions.length) {
    const cycle = findCycle(calls).map((index) => `"${keys[index]}"`);
    invalid(`Functions call each other: ${cycle.join(' → ')}`, file);
  }
}

function allNodes(nodes: readonly Node[]): readonly Node[] {
  return nodes.flatMap((node) => [
    node,
    ...subgraphs(node).flatMap((graph) => allNodes(graph.nodes)),
  ]);
}
