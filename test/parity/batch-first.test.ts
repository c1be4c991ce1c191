import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { numbersOf, tensorOf } from '../../packages/core/src/graph/constants.js';
import { inferTypes } from '../../packages/core/src/graph/infer.js';
import { modelOf } from '../../packages/core/src/graph/model.js';
import { type Attributes, toAttributes } from '../../packages/core/src/graph/value.js';
import { nodeRuntime } from '../../packages/core/src/node.js';
import type { Graph, Node, TensorData } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { createShapeOracle } from '../../packages/core/src/runtime/shape-oracle.js';
import { relativeDistance } from '../support/check-gradients.js';
import { generator } from '../support/compare.js';

const [steps, batch, features, hidden] = [3, 2, 5, 4];
const gates = { RNN: 1, GRU: 3, LSTM: 4 };

function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Attributes,
): Node {
  return {
    name: outputs[0] ?? '',
    opType,
    domain: '',
    inputs,
    outputs,
    attributes: toAttributes(attributes),
  };
}

async function run(graph: Graph, feeds: ReadonlyMap<string, TensorData>) {
  const session = await InferenceSession.create(encodeModel(modelOf(graph)));
  const fed = [...feeds].map(([name, tensor]) => {
    const data = Float32Array.from(numbersOf(tensor) ?? []);
    return [name, new Tensor('float32', data, tensor.dims)] as const;
  });
  const results = await session.run(Object.fromEntries(fed));
  await session.release();
  return graph.outputs.map(({ name }) => {
    const { data, dims } = results[name] as Tensor;
    return tensorOf('float32', Array.from(data as Float32Array), dims);
  });
}

test.each(
  (['RNN', 'GRU', 'LSTM'] as const).flatMap((op) =>
    ['forward', 'reverse', 'bidirectional'].map((direction) => ({ op, direction })),
  ),
)(
  'a $direction $op with the batch first is one with the steps first',
  async ({ op, direction }) => {
    const ways = direction === 'bidirectional' ? 2 : 1;
    const states = op === 'LSTM' ? 2 : 1;
    const random = generator(3);
    const feeds = new Map<string, TensorData>([
      ['x', random(batch, steps, features)],
      ['w', random(ways, gates[op] * hidden, features)],
      ['r', random(ways, gates[op] * hidden, hidden)],
      ['h', random(batch, ways, hidden)],
      ...(states === 2 ? [['c', random(batch, ways, hidden)] as const] : []),
    ]);
    const names = ['y', 'y_h', 'y_c'].slice(0, 1 + states);
    const optional = (h: string, c: string) => ['', '', h, ...(states === 2 ? [c] : [])];
    const base = {
      name: 'recurrent',
      inputs: [...feeds].map(([name, { type, dims }]) => ({ name, type, shape: dims })),
      outputs: names.map((name) => ({ name, type: 'float32' as const })),
      initializers: new Map(),
      valueInfo: new Map(),
    };
    const settings = { hidden_size: hidden, direction };
    const given: Graph = {
      ...base,
      nodes: [node(op, ['x', 'w', 'r', ...optional('h', 'c')], names, { ...settings, layout: 1 })],
    };
    const swap = { perm: [1, 0, 2] };
    const stock: Graph = {
      ...base,
      nodes: [
        node('Transpose', ['x'], ['x1'], swap),
        node('Transpose', ['h'], ['h1'], swap),
        ...(states === 2 ? [node('Transpose', ['c'], ['c1'], swap)] : []),
        node(
          op,
          ['x1', 'w', 'r', ...optional('h1', 'c1')],
          names.map((name) => `${name}1`),
          settings,
        ),
        node('Transpose', ['y1'], ['y'], { perm: [2, 0, 1, 3] }),
        ...names.slice(1).map((name) => node('Transpose', [`${name}1`], [name], swap)),
      ],
    };
    const inputs = [...feeds].map(([name, { type, dims }]) => ({ name, type, shape: dims }));
    const builder = await inferTypes(given, inputs, createShapeOracle(nodeRuntime));
    const apart = { ...given, nodes: builder.nodes, initializers: builder.initializers };
    const [ours, theirs] = [await run(apart, feeds), await run(stock, feeds)];
    expect(ours).toHaveLength(names.length);
    for (const [i, tensor] of ours.entries()) {
      expect(tensor.dims).toEqual(theirs[i]?.dims);
      expect(relativeDistance(tensor, theirs[i] as TensorData)).toBeLessThan(1e-5);
    }
  },
);
