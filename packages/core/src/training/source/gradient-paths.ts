import { isDifferentiable } from '../../gradients/rules/index.js';
import { sortNodes } from '../../graph/order.js';
import { dataTypeOf } from '../../onnx/element-types.js';
import type { Graph, Node } from '../../onnx/ir.js';
import { usedNames } from '../../onnx/names.js';

/** A node through which a parameter reaches the loss, and its gradient does not come back. */
export interface Cut {
  readonly node: string;
  readonly op: string;
  /** Whether it makes whole numbers or truth values, or is flat almost everywhere. */
  readonly why: 'integer' | 'flat';
}

export interface GradientPaths {
  /** Nodes between a parameter and the loss. Needs names alone: what is not a float falls out later. */
  readonly onPath: ReadonlySet<Node>;
  /** Parameters that no path of differentiable edges joins to the loss, and what cuts the others. */
  readonly unreachable: ReadonlyMap<string, readonly Cut[]>;
}

/** Ops that are floats and flat almost everywhere. */
const flat: ReadonlySet<string> = new Set(['Ceil', 'Floor', 'Round', 'Sign', 'Hardmax']);

/** What depends on the shape of its input, not on its numbers. */
const shapeOnly: ReadonlySet<string> = new Set(['Shape', 'Size', 'EyeLike', 'RandomNormalLike']);

/** Outputs of differentiable ops that are indices, by their place. */
const indices: Readonly<Record<string, number>> = { MaxPool: 1, TopK: 1 };

function castsToInteger({ opType, attributes }: Node): boolean {
  const to = opType === 'Cast' ? attributes.to : undefined;
  return to?.type === 'int' && !/^b?float/.test(dataTypeOf(to.value) ?? 'float');
}

/** Whether a gradient may come back from an output of a node to its inputs. */
export function letsThrough(
  node: Node,
  output: number,
  straightThrough?: ReadonlySet<string>,
): boolean {
  if (castsToInteger(node) || indices[node.opType] === output) return false;
  return isDifferentiable(node.opType, straightThrough);
}

/** Values on a way from `sources` to `targets` along the outputs that `passes` lets through. */
function between(
  sorted: readonly Node[],
  sources: Iterable<string>,
  targets: Iterable<string>,
  passes: (node: Node, output: number) => boolean,
) {
  const depends = new Set(sources);
  for (const node of sorted)
    if (usedNames(node).some((name) => depends.has(name)))
      node.outputs.forEach((output, i) => {
        if (output !== '' && passes(node, i)) depends.add(output);
      });
  const wanted = new Set(targets);
  const nodes = new Set<Node>();
  for (const node of [...sorted].reverse()) {
    if (!node.outputs.some((name, i) => wanted.has(name) && depends.has(name) && passes(node, i)))
      continue;
    nodes.add(node);
    for (const name of usedNames(node)) if (depends.has(name)) wanted.add(name);
  }
  return { nodes, wanted };
}

/** Follows gradients from some outputs of a graph back to parameters.
 *  @param asked parameters that would be told where they are unreachable; default those that are followed */
export function gradientPaths(
  graph: Graph,
  parameters: readonly string[],
  outputs: readonly string[],
  asked: readonly string[] = parameters,
): GradientPaths {
  const sorted = sortNodes(graph.nodes);
  const { nodes } = between(sorted, parameters, outputs, letsThrough);
  const reached = between(sorted, asked, outputs, letsThrough).wanted;
  const unreachable = asked
    .filter((name) => !reached.has(name))
    .map((name) => [name, cutsBelow(sorted, name, outputs)] as const);
  return { onPath: nodes, unreachable: new Map(unreachable) };
}

/** What stands on all ways of one parameter to the loss. */
function cutsBelow(
  sorted: readonly Node[],
  parameter: string,
  outputs: readonly string[],
): readonly Cut[] {
  const data = (node: Node) => !shapeOnly.has(node.opType);
  const { nodes } = between(sorted, [parameter], outputs, data);
  return sorted.flatMap((node): readonly Cut[] => {
    if (!nodes.has(node) || node.outputs.every((_, i) => letsThrough(node, i))) return [];
    const why = flat.has(node.opType) ? 'flat' : 'integer';
    return [{ node: node.name || (node.outputs[0] ?? ''), op: node.opType, why }];
  });
}
