import { encodeModel, type Graph, type Model, type Node, tensorOf } from '@gradware/core/testing';

type Attributes = Node['attributes'];

const node = (
  opType: string,
  inputs: readonly string[],
  output: string,
  attributes: Attributes = {},
): Node => ({ name: output, opType, domain: '', inputs, outputs: [output], attributes });

const int = (value: number) => ({ type: 'int', value }) as const;
const ints = (...value: readonly number[]) => ({ type: 'ints', value }) as const;

const wave = (dims: readonly number[]) =>
  tensorOf(
    'float32',
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i + 1) / 4 + 0.3),
    dims,
  );

function network(
  input: Graph['inputs'][number]['shape'],
  nodes: readonly Node[],
  weights: Readonly<Record<string, readonly number[]>>,
): Model {
  return {
    graph: {
      name: 'network',
      nodes,
      inputs: [{ name: 'x', type: 'float32', shape: input }],
      outputs: [{ name: 'logits', type: 'float32', shape: ['n', 3] }],
      initializers: new Map(Object.entries(weights).map(([name, dims]) => [name, wave(dims)])),
      valueInfo: new Map(),
    },
    opsets: new Map([['', 17]]),
    irVersion: 8,
    functions: [],
    metadata: new Map([['made', 'to be broken']]),
    producer: 'gradware-fuzz',
  };
}

/** Small networks that have most kinds of things in them that files can hold. */
export const networks: Readonly<Record<string, Uint8Array>> = {
  perceptron: encodeModel(
    network(
      ['n', 5],
      [
        node('Gemm', ['x', 'w1', 'b1'], 'h', { transB: int(1) }),
        node('Relu', ['h'], 'a'),
        node('Gemm', ['a', 'w2', 'b2'], 'logits', { transB: int(1) }),
      ],
      { w1: [7, 5], b1: [7], w2: [3, 7], b2: [3] },
    ),
  ),
  convolution: encodeModel(
    network(
      ['n', 2, 6, 6],
      [
        node('Conv', ['x', 'k', 'c'], 'h', { pads: ints(1, 1, 1, 1) }),
        node('BatchNormalization', ['h', 's', 'o', 'm', 'v'], 'e'),
        node('LeakyRelu', ['e'], 'a', { alpha: { type: 'float', value: 0.1 } }),
        node('MaxPool', ['a'], 'p', { kernel_shape: ints(2, 2), strides: ints(2, 2) }),
        node('Flatten', ['p'], 'f'),
        node('Gemm', ['f', 'w', 'b'], 'logits', { transB: int(1) }),
      ],
      { k: [4, 2, 3, 3], c: [4], s: [4], o: [4], m: [4], v: [4], w: [3, 36], b: [3] },
    ),
  ),
  branches: encodeModel(
    network(
      ['n', 5],
      [
        node('MatMul', ['x', 'w1'], 'h'),
        node('ReduceMax', ['h'], 'top', { keepdims: int(0) }),
        node('Greater', ['top', 'limit'], 'above'),
        node('If', ['above'], 'chosen', {
          then_branch: { type: 'graph', value: branch('Tanh') },
          else_branch: { type: 'graph', value: branch('Sigmoid') },
        }),
        node('Split', ['chosen'], 'left', { axis: int(1) }),
        node('MatMul', ['left', 'w2'], 'logits'),
      ].map((each) => (each.opType === 'Split' ? { ...each, outputs: ['left', 'right'] } : each)),
      { w1: [5, 8], w2: [4, 3], limit: [] },
    ),
  ),
};

function branch(opType: string): Graph {
  return {
    name: opType,
    nodes: [node(opType, ['h'], `${opType}_of_h`)],
    inputs: [],
    outputs: [{ name: `${opType}_of_h`, type: 'float32', shape: ['n', 8] }],
    initializers: new Map(),
    valueInfo: new Map(),
  };
}
