import type { Graph, Node } from './ir.js';

/** The graphs nested in a node: branches of If, bodies of Loop and Scan. */
export function subgraphs(node: Node): readonly Graph[] {
  return Object.values(node.attributes).flatMap((attribute) =>
    attribute.type === 'graph'
      ? [attribute.value]
      : attribute.type === 'graphs'
        ? attribute.value
        : [],
  );
}

/** Names that a graph defines: they hide those of the graphs around it. */
export function ownNames({ inputs, initializers, nodes }: Graph): ReadonlySet<string> {
  const own = new Set([...inputs.map(({ name }) => name), ...initializers.keys()]);
  for (const { outputs } of nodes) for (const output of outputs) own.add(output);
  return own;
}

/** Names that a graph takes from the graphs around it. */
export function capturedNames(graph: Graph): ReadonlySet<string> {
  const own = ownNames(graph);
  const captured = new Set<string>();
  for (const node of graph.nodes)
    for (const name of usedNames(node)) if (!own.has(name)) captured.add(name);
  for (const { name } of graph.outputs) if (!own.has(name)) captured.add(name);
  return captured;
}

/** Everything a node needs: its inputs, and what its nested graphs capture. */
export function usedNames(node: Node): readonly string[] {
  const direct = node.inputs.filter((name) => name !== '');
  const nested = subgraphs(node);
  return nested.length === 0
    ? direct
    : [...direct, ...nested.flatMap((graph) => [...capturedNames(graph)])];
}

/** A name that is not among `names` yet, and then is. */
export function freshName(names: Set<string>, hint: string): string {
  let name = hint;
  for (let i = 1; names.has(name); i++) name = `${hint}_${i}`;
  names.add(name);
  return name;
}
