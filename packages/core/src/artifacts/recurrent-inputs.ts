import type { Model, Node } from '../onnx/ir.js';

/** Where the gradient op takes all states of the forward op, its first output. */
const statesAt: ReadonlyMap<string, number> = new Map([
  ['LSTMGrad', 6],
  ['GRUGrad', 6],
]);

const forwardOps: ReadonlySet<string> = new Set(['LSTMTraining', 'GRUTraining']);

const isMicrosoft = ({ domain }: Node) => domain === 'com.microsoft';

/** ORT's gradient builder leaves out the initial states that an LSTM or GRU does not have, instead of leaving their
 *  places empty, so that all inputs behind them move up: its own runtime refuses such a model. With the empty places, the
 *  nodes mean what the others mean. */
export function withEmptyStates(model: Model): Model {
  const { nodes } = model.graph;
  if (!nodes.some((node) => isMicrosoft(node) && statesAt.has(node.opType))) return model;
  const states = new Set(
    nodes.flatMap((node) =>
      isMicrosoft(node) && forwardOps.has(node.opType) ? (node.outputs[0] ?? []) : [],
    ),
  );
  const filled = nodes.map((node): Node => {
    const wanted = isMicrosoft(node) ? statesAt.get(node.opType) : undefined;
    const found = node.inputs.findIndex((name) => name !== '' && states.has(name));
    if (wanted === undefined || found < 0 || found >= wanted) return node;
    const empty = Array.from({ length: wanted - found }, () => '');
    return {
      ...node,
      inputs: [...node.inputs.slice(0, found), ...empty, ...node.inputs.slice(found)],
    };
  });
  return { ...model, graph: { ...model.graph, nodes: filled } };
}
