import type { Graph, Node } from '../../onnx/ir.js';

/** What a loss computes itself, so that it should not be in the model as well. */
const within: Readonly<
  Record<string, { readonly ops: readonly string[]; readonly wants: string }>
> = {
  'cross-entropy': { ops: ['Softmax'], wants: 'scores, and applies a softmax of its own' },
  'bce-with-logits': {
    ops: ['Sigmoid', 'Softmax'],
    wants: 'logits, and applies a sigmoid of its own',
  },
  nll: { ops: ['Softmax'], wants: 'the logarithms of probabilities' },
  'kl-divergence': { ops: ['Softmax'], wants: 'the logarithms of probabilities' },
};

const shapeOnly: ReadonlySet<string> = new Set([
  ...['Identity', 'Cast', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten', 'Transpose'],
]);

/** What tells that a model was exported with its last activation, which the loss brings along: it trains, slowly and to
 *  a wrong optimum. */
export function lossWarnings(
  loss: string,
  graph: Graph,
  predictions: readonly string[],
): readonly string[] {
  const known = Object.hasOwn(within, loss) ? within[loss] : undefined;
  if (known === undefined) return [];
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
  return predictions.flatMap((name) => {
    let maker: Node | undefined = makers.get(name);
    while (maker !== undefined && shapeOnly.has(maker.opType))
      maker = makers.get(maker.inputs[0] ?? '');
    if (maker === undefined || !known.ops.includes(maker.opType)) return [];
    const [before = ''] = maker.inputs;
    return [
      `The output "${name}" comes from a ${maker.opType}, but the loss ${loss} takes ${known.wants}. Give it what the ${maker.opType} is fed: lossInputNames: ['${before}'].`,
    ];
  });
}
