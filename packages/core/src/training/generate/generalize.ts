import { GradwareError } from '../../errors.js';
import { sortNodes } from '../../graph/order.js';
import type { Attribute, Graph, Node, TensorData } from '../../onnx/ir.js';
import { usedNames } from '../../onnx/names.js';
import type { OpenDimension, Sizes, Trial } from './dimensions.js';
import { shapeWriter } from './shape-writer.js';

export interface General {
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<string, TensorData>;
}

/** One graph for all sizes from the graphs for some of them. They must be the same but for constants; a constant that
 *  differs is computed in the graph, from the shapes of its inputs and values.
 *
 *  Gradient rules know exact shapes and write them down. What of it depends on an open dimension shows when the same
 *  graph is built at several sizes; the last trial has to be what the others predict.
 *  @throws GradwareError UNSUPPORTED where the graphs differ otherwise, or no formula gives a constant */
export function generalize(
  builders: readonly Trial[],
  dimensions: readonly OpenDimension[],
  sizes: readonly Sizes[],
): General {
  const [base] = builders;
  if (base === undefined) return { nodes: [], initializers: new Map() };
  const { nodes } = base;
  if (builders.length === 1) return { nodes: sortNodes(nodes), initializers: base.initializers };
  const writer = shapeWriter(builders, dimensions, sizes);
  const rewritten = nodes.map((node, i): Node => {
    const all = builders.map((builder) => builder.nodes[i]);
    if (!sameNode(all)) refuse(node, 'it has other nodes at other sizes');
    const inputs = node.inputs.map((name, j) => {
      const names = all.map((each) => each?.inputs[j] ?? '');
      const tensors = builders.map((builder, k) => builder.initializers.get(names[k] ?? ''));
      if (tensors.every((tensor) => tensor !== undefined)) {
        if (tensors.every((tensor) => sameTensor(tensor, tensors[0]))) return name;
        return (
          writer.write(tensors, { node, index: i, input: j }) ??
          refuse(node, `input ${j} follows from the size in no simple way`)
        );
      }
      if (tensors.some((tensor) => tensor !== undefined) || names.some((each) => each !== name))
        refuse(node, `input ${j} is another value at other sizes`);
      return name;
    });
    return { ...node, inputs };
  });
  const beyond = builders.map((builder) => builder.nodes[nodes.length]).find((node) => node);
  if (beyond !== undefined) refuse(beyond, 'it is not there at other sizes');
  const all = [...writer.nodes, ...rewritten];
  const used = new Set(all.flatMap(usedNames));
  const initializers = new Map(
    [...base.initializers, ...writer.initializers].filter(([name]) => used.has(name)),
  );
  return { nodes: sortNodes(all), initializers };
}

function refuse(node: Node, problem: string): never {
  throw new GradwareError(
    'UNSUPPORTED',
    `The training graph cannot be written once for every size: ${problem}`,
    {
      where: `${node.opType} node ${node.name || node.outputs[0]}`,
      remedy: 'Fix the open dimensions that it depends on (dimensions: { <name>: <size> }).',
    },
  );
}

function sameNode(nodes: readonly (Node | undefined)[]): boolean {
  const [first] = nodes;
  return nodes.every(
    (node) =>
      node !== undefined &&
      first !== undefined &&
      node.opType === first.opType &&
      node.domain === first.domain &&
      node.inputs.length === first.inputs.length &&
      node.outputs.join('\n') === first.outputs.join('\n') &&
      sameAttributes(node.attributes, first.attributes),
  );
}

type Attributes = Node['attributes'];

function sameAttributes(a: Attributes, b: Attributes): boolean {
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length && names.every((name) => sameAttribute(a[name], b[name]))
  );
}

function sameAttribute(a: Attribute | undefined, b: Attribute | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  if (a.type === 'tensor' && b.type === 'tensor') return sameTensor(a.value, b.value);
  if (a.type === 'graph' && b.type === 'graph') return sameGraph(a.value, b.value);
  return a.type === b.type && JSON.stringify(a.value) === JSON.stringify(b.value);
}

/** Nested graphs have no access to what differs: they have to be the same altogether. */
function sameGraph(a: Graph, b: Graph): boolean {
  return (
    a.nodes.length === b.nodes.length &&
    a.nodes.every((node, i) => {
      const other = b.nodes[i];
      return sameNode([node, other]) && node.inputs.join('\n') === other?.inputs.join('\n');
    }) &&
    [...a.initializers].every(([name, tensor]) => sameTensor(tensor, b.initializers.get(name)))
  );
}

function sameTensor(a: TensorData | undefined, b: TensorData | undefined): boolean {
  if (a === b || (a !== undefined && a.data === b?.data)) return true;
  if (a === undefined || b === undefined || a.type !== b.type) return false;
  if (a.dims.join() !== b.dims.join() || a.data.length !== b.data.length) return false;
  for (let i = 0; i < a.data.length; i++) if (!Object.is(a.data[i], b.data[i])) return false;
  return true;
}
