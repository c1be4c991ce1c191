import { constantAttribute } from '../../graph/fold.js';
import { identityNode } from '../../graph/identity.js';
import type { ShapeOracle } from '../../graph/infer.js';
import { renameNode } from '../../graph/inline.js';
import { prune, sortNodes } from '../../graph/order.js';
import { elementCount } from '../../graph/value.js';
import { isFloatType } from '../../onnx/element-types.js';
import type { Graph, Node, TensorData, ValueInfo } from '../../onnx/ir.js';
import { freshName, ownNames, usedNames } from '../../onnx/names.js';

/** One number that is no measurement: a sampling rate, whether there is a cache. */
function maySwitch({ type = 'float32', shape }: ValueInfo): boolean {
  const dims = shape?.filter((dim): dim is number => typeof dim === 'number');
  const single = dims?.length === shape?.length && elementCount(dims ?? [0]) === 1;
  return single && !isFloatType(type as TensorData['type']) && type !== 'string';
}

/** What else an output hangs on. */
const unsure = /^(Shape|Size|Bernoulli|Dropout|Multinomial|Random)/;

/** What follows from some values alone, whatever the shapes are. */
function followers(sorted: readonly Node[], isGiven: (name: string) => boolean) {
  const known = new Set<string>();
  const follows = (name: string) => known.has(name) || isGiven(name);
  for (const node of sorted)
    if (!unsure.test(node.opType) && usedNames(node).every(follows))
      for (const output of node.outputs) known.add(output);
  return follows;
}

const branching = ({ opType, domain }: Node) => opType === 'If' && domain === '';

/** Inputs of one number that decide which branches are taken: steps are compiled for what they are. */
export function switchesOf({ nodes, inputs, initializers }: Graph): ReadonlySet<string> {
  const sorted = sortNodes(nodes);
  const isConstant = (name: string) => initializers.has(name);
  const candidates = new Set(
    inputs.flatMap((input) => (maySwitch(input) && !isConstant(input.name) ? input.name : [])),
  );
  const always = followers(sorted, isConstant);
  const once = followers(sorted, (name) => candidates.has(name) || isConstant(name));
  const found = new Set<string>();
  for (const {
    inputs: [condition = ''],
  } of sorted.filter(branching)) {
    if (always(condition) || !once(condition)) continue;
    const used = prune(sorted, [condition]).flatMap(usedNames);
    for (const name of [condition, ...used]) if (candidates.has(name)) found.add(name);
  }
  return found;
}

/** A graph in which those branches stand for their nodes that are taken where some inputs are what they are. */
export async function takeBranches(
  given: Graph,
  switches: ReadonlyMap<string, TensorData>,
  oracle: ShapeOracle,
): Promise<Graph> {
  let graph = given;
  for (;;) {
    const nodes = sortNodes(graph.nodes);
    const constants = new Map([...graph.initializers, ...switches]);
    for (const node of nodes) {
      const tensor = node.opType === 'Constant' ? constantAttribute(node) : undefined;
      if (tensor !== undefined) constants.set(node.outputs[0] as string, tensor);
    }
    const follows = followers(nodes, (name) => constants.has(name));
    const decided = nodes.filter((node) => branching(node) && follows(node.inputs[0] ?? ''));
    if (decided.length === 0) return graph;
    const conditions = decided.map(({ inputs: [name = ''] }) => name);
    const numbers = await numbersOf(conditions, nodes, constants, oracle);
    graph = withBranches(graph, (node) =>
      decided.includes(node) ? Number(numbers.get(node.inputs[0] ?? '')?.data[0]) !== 0 : undefined,
    );
  }
}

async function numbersOf(
  names: readonly string[],
  nodes: readonly Node[],
  constants: ReadonlyMap<string, TensorData>,
  oracle: ShapeOracle,
): Promise<ReadonlyMap<string, TensorData>> {
  const open = names.filter((name) => !constants.has(name));
  if (open.length === 0) return constants;
  const made = nodes.filter((node) => !constants.has(node.outputs[0] ?? ''));
  const makers = prune(made, open);
  const used = new Set(makers.flatMap(usedNames));
  const found = await oracle.numbers({
    name: 'switches',
    nodes: makers,
    inputs: [],
    outputs: [...new Set(open)].map((name) => ({ name })),
    initializers: new Map([...constants].filter(([name]) => used.has(name))),
    valueInfo: new Map(),
  });
  return new Map([...constants, ...found]);
}

/** @param isTaken which branch of a node is taken: its first, or its other; undefined for nodes that stay */
function withBranches(graph: Graph, isTaken: (node: Node) => boolean | undefined): Graph {
  const names = new Set([
    ...[...graph.inputs, ...graph.outputs].map(({ name }) => name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const initializers = new Map(graph.initializers);
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    const taken = isTaken(node);
    const branch =
      taken === undefined ? undefined : node.attributes[taken ? 'then_branch' : 'else_branch'];
    if (branch?.type !== 'graph') return [node];
    const scope = node.name || node.outputs[0] || node.opType;
    const own = new Map(
      [...ownNames(branch.value)].map((name) => [name, freshName(names, `${scope}/${name}`)]),
    );
    const rename = (name: string) => own.get(name) ?? name;
    for (const [name, tensor] of branch.value.initializers) initializers.set(rename(name), tensor);
    const copies = branch.value.outputs.flatMap(({ name }, i) => {
      const output = node.outputs[i] ?? '';
      return output === '' ? [] : [identityNode(rename(name), output)];
    });
    const inner = branch.value.nodes.map((each) => ({
      ...renameNode(each, rename),
      name: `${scope}/${each.name}`,
    }));
    return [...inner, ...copies];
  });
  return { ...graph, nodes, initializers };
}
