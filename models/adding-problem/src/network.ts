import { encodeModel, type Node, tensorOf } from '@gradware/core/testing';
import { createRandom } from '@gradware/data';

/** Numbers that a weight begins with, uniform in ±bound. */
function uniform(length: number, bound: number, ...keys: readonly number[]): number[] {
  const random = createRandom(...keys);
  return Array.from({ length }, () => ((random.below(2 ** 24) + 0.5) / 2 ** 23 - 1) * bound);
}

function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Node['attributes'] = {},
): Node {
  return { name: opType, opType, domain: '', inputs, outputs, attributes };
}

/** A recurrent network as the bytes of an .onnx file: `x` [batch, length, 2] to `y` [batch, 1], read from its last
 *  state. Rectified units that begin by adding up what comes in: the recurrent weights are the identity, those of the
 *  input small, the biases zero (Le, Jaitly and Hinton 2015, arXiv:1504.00941). It answers 1, the mean, at first. */
export function recurrentNetwork(length: number, hidden: number, seed: number): Uint8Array {
  const square = Array.from({ length: hidden * hidden }, (_, i) => (i % (hidden + 1) ? 0 : 1));
  const zeros = Array.from({ length: 2 * hidden }, () => 0);
  const initializers = new Map([
    ['rnn.input', tensorOf('float32', uniform(hidden * 2, 0.1, seed, 0), [1, hidden, 2])],
    ['rnn.recurrent', tensorOf('float32', square, [1, hidden, hidden])],
    ['rnn.bias', tensorOf('float32', zeros, [1, 2 * hidden])],
    ['out.weight', tensorOf('float32', uniform(hidden, hidden ** -0.5, seed, 1), [1, hidden])],
    ['out.bias', tensorOf('float32', [1])],
    ['axes', tensorOf('int64', [0])],
  ]);
  return encodeModel({
    graph: {
      name: 'adding-problem',
      nodes: [
        node('Transpose', ['x'], ['steps'], { perm: { type: 'ints', value: [1, 0, 2] } }),
        node('RNN', ['steps', 'rnn.input', 'rnn.recurrent', 'rnn.bias'], ['', 'last'], {
          hidden_size: { type: 'int', value: hidden },
          activations: { type: 'strings', value: ['Relu'] },
        }),
        node('Squeeze', ['last', 'axes'], ['state']),
        node('Gemm', ['state', 'out.weight', 'out.bias'], ['y'], {
          transB: { type: 'int', value: 1 },
        }),
      ],
      inputs: [{ name: 'x', type: 'float32', shape: ['batch', length, 2] }],
      outputs: [{ name: 'y', type: 'float32', shape: ['batch', 1] }],
      initializers,
      valueInfo: new Map(),
    },
    opsets: new Map([['', 17]]),
    irVersion: 8,
    functions: [],
    metadata: new Map(),
    producer: 'gradware-adding-problem',
  });
}
