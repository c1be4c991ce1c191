import { writeGraph } from './graph.js';

export interface LstmSize {
  readonly features: number;
  readonly hidden: number;
  readonly steps: number;
  readonly classes: number;
}

/** Classes of sequences from the last state of one LSTM: `x` [batch, steps, features] to `logits`. */
export function lstmClassifier({ features, hidden, steps, classes }: LstmSize): Uint8Array {
  const graph = writeGraph();
  const gates = 4 * hidden;
  const sequence = graph.node('Transpose', ['x'], { perm: [1, 0, 2] });
  const last = graph.node(
    'LSTM',
    [
      sequence,
      graph.weight('lstm.weight', [1, gates, features], hidden),
      graph.weight('lstm.recurrent', [1, gates, hidden], hidden),
      graph.weight('lstm.bias', [1, 2 * gates], hidden),
    ],
    { hidden_size: hidden },
    1,
  );
  const state = graph.node('Squeeze', [last, graph.ints([0])]);
  const weight = graph.weight('fc.weight', [classes, hidden], hidden);
  const logits = graph.node('Gemm', [state, weight, graph.weight('fc.bias', [classes], hidden)], {
    transB: 1,
  });
  return graph.encode({ type: 'float32', shape: [steps, features] }, logits, [classes]);
}
