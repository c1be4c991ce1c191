import { filled } from '../../../graph/constants.js';
import { int } from '../../../graph/value.js';
import type { Graph, Node } from '../../../onnx/ir.js';
import { createNaming, type Naming } from './naming.js';
import { type Call, isFolded, type TorchNotes } from './notes.js';
import { ownSlots, pairsOf } from './pairs.js';
import { createRewriter, type Rewriter } from './rewriter.js';

export interface Restored {
  readonly graph: Graph;
  /** Initializers that are parameters of PyTorch, as its calls tell. */
  readonly parameters: ReadonlySet<string>;
  /** Those that are constants. */
  readonly fixed: ReadonlySet<string>;
}

/** How many values the bias of a node has. */
const outputAxis: Readonly<Record<string, (node: Node, dims: readonly number[]) => number>> = {
  Conv: (_, [filters = 0]) => filters,
  ConvTranspose: ({ attributes }, dims) => (dims[1] ?? 0) * int(attributes, 'group', 1),
  Gemm: ({ attributes }, dims) => dims[int(attributes, 'transB', 0) === 1 ? 0 : 1] ?? 0,
};

/** A bias of zeros that was left out.
 *  @param left what the call takes that has no place yet */
function restoreBias(
  { agrees, add, put, inputsOf, tensorOf }: Rewriter,
  call: Call,
  left: readonly string[],
  nameOf: Naming,
): void {
  const node = call.nodes.find(({ opType }) => outputAxis[opType] !== undefined);
  if (!/RemoveOptionalBias\w*(?!.*FuseBatchNorm)/.test(call.rules) || node === undefined) return;
  const [, weight = '', bias = ''] = inputsOf(node);
  const tensor = tensorOf(weight);
  const folded = isFolded(call);
  if (bias !== '' || tensor === undefined || (!folded && left.length !== 1)) return;
  const zeros = filled(tensor.type, [outputAxis[node.opType]?.(node, tensor.dims) ?? 0], 0);
  const token = folded ? `p_${weight}_bias` : (left[0] ?? '');
  if (!agrees(token, zeros)) return;
  put({ node, i: 2 }, add(token, folded ? `${weight}_bias` : nameOf(token, call), zeros));
}

/** A graph in which every call of PyTorch takes initializers of its own, in PyTorch's names and shapes. */
export function restoreParameters(graph: Graph, notes: TorchNotes): Restored {
  const rewriter = createRewriter(graph, notes);
  const { add, put } = rewriter;
  const nameOf = createNaming(graph.initializers.keys(), notes);
  const parameters = new Set<string>();
  const leftovers = new Map<Call, readonly string[]>();
  for (const call of notes.calls) {
    if (isFolded(call)) continue;
    const { pairs, left } = pairsOf(call, graph, notes);
    leftovers.set(call, left);
    const agreed = pairs.filter(({ token, original }) => rewriter.agrees(token, original.tensor));
    for (const { token, slot, original } of agreed) {
      const name = add(token, nameOf(token, call), original.tensor);
      parameters.add(name);
      if (name !== slot.name) put(slot, rewriter.inForm(name, original));
    }
    for (const slot of ownSlots(call)) {
      const tensor = graph.initializers.get(slot.name);
      if (tensor !== undefined && notes.tokenOf(slot.name) !== undefined)
        put(slot, add(`c_${slot.name}`, `${slot.name}_constant`, tensor));
    }
  }
  for (const call of notes.calls) restoreBias(rewriter, call, leftovers.get(call) ?? [], nameOf);
  const replaced = notes.calls.flatMap(({ slots }) => slots.map(({ name }) => name));
  return { graph: rewriter.graph(replaced), parameters, fixed: rewriter.fixed };
}
