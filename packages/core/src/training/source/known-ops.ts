import { GradwareError } from '../../errors.js';
import { decompositionOf } from '../../graph/decompose/index.js';
import { isTrainingOp } from '../../graph/dialect.js';
import { prune, sortNodes } from '../../graph/order.js';
import { canLower } from '../../lowering/lower.js';
import type { Node } from '../../onnx/ir.js';
import { subgraphs, usedNames } from '../../onnx/names.js';
import { onnxOperators } from '../../onnx/operators.js';
import { nearest } from '../../options/nearest.js';

function isKnown(node: Node): boolean {
  if (decompositionOf(node) !== undefined) return true;
  const { opType, domain } = node;
  if (domain === '' && !isTrainingOp(opType, domain)) return onnxOperators.has(opType);
  return canLower(node);
}

/** Nodes, in nested graphs too, that stock ONNX Runtime does not know and that no lowering expresses. */
function unknownNodes(nodes: readonly Node[]): readonly Node[] {
  return nodes.flatMap((node) => [
    ...(isKnown(node) ? [] : [node]),
    ...subgraphs(node).flatMap((graph) => unknownNodes(graph.nodes)),
  ]);
}

/** The nodes that a step may have: all but those which nothing in it needs and that cannot run there, and what is made
 *  from them. Classifiers of scikit-learn compute their labels in such.
 *  @param roots what steps need: the predictions, what they return, statistics
 *  @param outputs of the model, among which others may be for the loss
 *  @throws GradwareError NO_LOWERING naming every op that is needed and cannot run */
export function nodesOfSteps(
  nodes: readonly Node[],
  roots: readonly string[],
  outputs: readonly string[],
  file: string,
): readonly Node[] {
  if (unknownNodes(nodes).length === 0) return nodes;
  const stays = withoutUnknown(nodes);
  const made = new Set(stays.flatMap((node) => node.outputs));
  requireKnownOps(
    prune(nodes, roots),
    file,
    outputs.filter((name) => made.has(name)),
  );
  return stays;
}

function withoutUnknown(nodes: readonly Node[]): readonly Node[] {
  const lost = new Set<string>();
  return sortNodes(nodes).filter((node) => {
    const stays =
      unknownNodes([node]).length === 0 && !usedNames(node).some((name) => lost.has(name));
    if (!stays) for (const name of node.outputs) lost.add(name);
    return stays;
  });
}

/** @param others outputs that could go to the loss
 *  @throws GradwareError NO_LOWERING naming every op that cannot run, before anything is trained */
export function requireKnownOps(
  nodes: readonly Node[],
  file: string,
  others: readonly string[] = [],
): void {
  const unknown = unknownNodes(nodes);
  if (unknown.length === 0) return;
  const ops = [
    ...new Set(
      unknown.map(({ domain, opType }) => `${domain === '' ? '' : `${domain}.`}${opType}`),
    ),
  ];
  throw new GradwareError(
    'NO_LOWERING',
    `Stock ONNX Runtime cannot run ${ops.join(', ')}, and Gradware has no way to express it`,
    {
      where: `${file}, ${unknown.map(({ name, outputs }) => `node ${name || outputs[0]}`).join('; ')}`,
      remedy:
        others.length > 0
          ? `Name an output for the loss that does without them (lossInputNames): ${others.join(', ')}.`
          : remedyFor(unknown),
    },
  );
}

/** Custom ops, or ops of ONNX whose name is misspelt. */
function remedyFor(unknown: readonly Node[]): string {
  const misspelt = unknown.filter(({ domain }) => domain === '').map(({ opType }) => opType);
  const packed = unknown.filter(({ domain }) => domain === 'com.microsoft');
  if (packed.length === unknown.length)
    return 'ONNX Runtime has no kernel for them on every provider, or only one for inference: export the model without them (no packed, paged or cached attention), or give the model as it was before it was optimized.';
  const near = misspelt.flatMap((opType) => nearest(opType, onnxOperators));
  return near.length > 0
    ? `Did you mean ${[...new Set(near)].join(' or ')}?`
    : 'Custom ops cannot be trained on stock ONNX Runtime: export the model without them.';
}
