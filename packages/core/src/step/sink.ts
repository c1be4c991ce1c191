import { gradware } from '../graph/dialect.js';
import { ownOutputs } from '../graph/identity.js';
import { sortNodes } from '../graph/order.js';
import type { Graph, Node } from '../onnx/ir.js';
import { usedNames } from '../onnx/names.js';

function isSelect(node: Node): boolean {
  return node.domain === gradware && node.opType === 'Select';
}

/** Turns every Select into an If, and moves what only one side needs into the branch of that side, so that it
 *  costs nothing where the other side is chosen. `Where` on all state would cost half a step. */
export function sinkSelects(nodes: readonly Node[], outputs: readonly string[]): readonly Node[] {
  let current = sortNodes(nodes);
  for (;;) {
    const at = current.findLastIndex(isSelect);
    if (at < 0) return current;
    current = sinkOne(current, at, new Set(outputs));
  }
}

interface Branch {
  readonly roots: readonly string[];
  readonly nodes: ReadonlySet<Node>;
}

function sinkOne(
  nodes: readonly Node[],
  at: number,
  outputs: ReadonlySet<string>,
): readonly Node[] {
  const select = nodes[at] as Node;
  const count = select.outputs.length;
  const condition = select.inputs[0] as string;
  const sides = [select.inputs.slice(1, 1 + count), select.inputs.slice(1 + count)] as const;
  const branchOf = (side: 0 | 1): Branch => {
    const elsewhere = new Set([condition, ...sides[(1 - side) as 0 | 1], ...outputs]);
    return { roots: sides[side], nodes: exclusive(nodes, at, sides[side], elsewhere) };
  };
  const branches = [branchOf(0), branchOf(1)] as const;
  const whenTrue = branchGraph(nodes, branches[0], `${select.name}/then`);
  const whenFalse = branchGraph(nodes, branches[1], `${select.name}/else`);
  const conditional: Node = {
    name: select.name,
    opType: 'If',
    domain: '',
    inputs: [condition],
    outputs: select.outputs,
    attributes: {
      then_branch: { type: 'graph', value: whenTrue },
      else_branch: { type: 'graph', value: whenFalse },
    },
  };
  return nodes.flatMap((node) => {
    if (node === select) return [conditional];
    return branches.some((branch) => branch.nodes.has(node)) ? [] : [node];
  });
}

/** The nodes before `at` that nothing needs but `roots` and each other. */
function exclusive(
  nodes: readonly Node[],
  at: number,
  roots: readonly string[],
  elsewhere: ReadonlySet<string>,
): ReadonlySet<Node> {
  const inside = new Set(roots.filter((name) => !elsewhere.has(name)));
  const outside = new Set(elsewhere);
  for (const node of nodes.slice(at + 1)) for (const name of usedNames(node)) outside.add(name);
  const found = new Set<Node>();
  for (const node of nodes.slice(0, at).reverse()) {
    const makes = node.outputs.filter((name) => name !== '');
    const sinks =
      makes.some((name) => inside.has(name)) && !makes.some((name) => outside.has(name));
    const uses = sinks ? inside : outside;
    if (sinks) found.add(node);
    for (const name of usedNames(node)) uses.add(name);
  }
  return found;
}

function branchGraph(nodes: readonly Node[], branch: Branch, name: string): Graph {
  const own = nodes.filter((node) => branch.nodes.has(node));
  const roots = branch.roots.map((root) => ({ name: root }));
  const { names, copies } = ownOutputs(own, roots, (_, i) => `${name}/output_${i}`);
  return {
    name,
    nodes: sinkSelects([...own, ...copies], names),
    inputs: [],
    outputs: names.map((output) => ({ name: output })),
    initializers: new Map(),
    valueInfo: new Map(),
  };
}
