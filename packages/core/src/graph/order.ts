import { GradwareError } from '../errors.js';
import type { Node } from '../onnx/ir.js';
import { usedNames } from '../onnx/names.js';

/** How far the sorting of a node is. */
const waits = 1;
const done = 2;

/** Nodes in an order in which every value is made before it is used; stable where there is a choice. */
export function sortNodes(nodes: readonly Node[]): readonly Node[] {
  const producer = new Map<string, number>();
  nodes.forEach((node, i) => {
    for (const output of node.outputs) if (output !== '') producer.set(output, i);
  });
  const uses = nodes.map(usedNames);
  const sorted: Node[] = [];
  const state = new Uint8Array(nodes.length);
  for (let root = 0; root < nodes.length; root++) {
    // An explicit stack: graphs are deeper than JavaScript's own.
    const stack = [root];
    while (stack.length > 0) {
      const i = stack.at(-1) as number;
      const node = nodes[i] as Node;
      if (state[i] === done) {
        stack.pop();
        continue;
      }
      const waiting = (uses[i] ?? [])
        .map((name) => producer.get(name))
        .filter((p): p is number => p !== undefined && state[p] !== done);
      if (waiting.length === 0) {
        state[i] = done;
        sorted.push(node);
        stack.pop();
        continue;
      }
      // Waiting for a second time: what it waits for leads back to it.
      if (state[i] === waits || waiting.includes(i))
        throw new GradwareError('INVALID_MODEL', 'The graph has a cycle', {
          where: `node ${node.name || node.opType}`,
          remedy: 'Export the model anew: no value may depend on itself.',
        });
      state[i] = waits;
      stack.push(...waiting.reverse());
    }
  }
  return sorted;
}

/** Drops the nodes that none of `outputs` needs. */
export function prune(nodes: readonly Node[], outputs: Iterable<string>): readonly Node[] {
  const used = new Set(outputs);
  const kept: Node[] = [];
  for (const node of [...sortNodes(nodes)].reverse()) {
    if (!node.outputs.some((output) => used.has(output))) continue;
    kept.push(node);
    for (const name of usedNames(node)) used.add(name);
  }
  return kept.reverse();
}

/** Ops whose unused outputs must keep a name: ORT refuses a blank there, or writes to it all the same. */
const needsAllOutputs = new Set([
  'BatchNormalizationGrad',
  'GRU',
  'If',
  'InvertibleLayerNormalizationGrad',
  'LSTM',
  'LayerNormalizationGrad',
  'Loop',
  'RNN',
  'Scan',
  'Select',
  'SimplifiedLayerNormalizationGrad',
  'Split',
  'TopK',
]);

/** Ops whose first output is as optional as the others: a network's first convolution needs no dX. */
const optionalFirst = new Set(['ConvGrad', 'ConvTransposeGrad']);

/** Blanks the optional outputs that nobody uses, so that a kernel need not make them. */
export function blankUnusedOutputs(
  nodes: readonly Node[],
  outputs: Iterable<string>,
): readonly Node[] {
  const used = new Set(outputs);
  for (const node of nodes) for (const name of usedNames(node)) used.add(name);
  return nodes.map((node) => {
    if (node.outputs.length < 2 || needsAllOutputs.has(node.opType)) return node;
    const keep = optionalFirst.has(node.opType) ? -1 : 0;
    const names = node.outputs.map((output, i) => (i === keep || used.has(output) ? output : ''));
    while (names.length > 1 && names.at(-1) === '') names.pop();
    return { ...node, outputs: names };
  });
}
