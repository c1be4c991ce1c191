import { GradwareError } from '../errors.js';
import { decompositionOf } from '../graph/decompose/index.js';
import { canLower } from '../lowering/lower.js';
import type { Node } from '../onnx/ir.js';
import { subgraphs } from '../onnx/names.js';

/** Nodes, in nested graphs too, that stock ONNX Runtime does not know and that no lowering expresses. */
function unknownNodes(nodes: readonly Node[]): readonly Node[] {
  return nodes.flatMap((node) => [
    ...(canLower(node) || decompositionOf(node) ? [] : [node]),
    ...subgraphs(node).flatMap((graph) => unknownNodes(graph.nodes)),
  ]);
}

/** @throws GradwareError NO_LOWERING naming every op that cannot run, before anything is trained */
export function requireKnownOps(nodes: readonly Node[], file: string): void {
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
      remedy: 'Custom ops cannot be trained on stock ONNX Runtime: export the model without them.',
    },
  );
}
