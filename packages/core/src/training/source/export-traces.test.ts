import { expect, test } from 'vitest';
import { filled, tensorOf } from '../../graph/constants.js';
import { TrainingSession } from '../../node.js';
import type { Graph, Model, Node, TensorData } from '../../onnx/ir.js';
import { encodeModel } from '../../onnx/model.js';
import { tieWarnings } from './export-traces.js';
import { chooseParameters } from './trainable.js';

function node(opType: string, inputs: readonly string[], output: string): Node {
  return { name: output, opType, domain: '', inputs, outputs: [output], attributes: {} };
}

function graph(
  nodes: readonly Node[],
  initializers: Readonly<Record<string, TensorData>>,
  dims: readonly (number | string)[] = ['batch', 2],
): Graph {
  return {
    name: 'traces',
    nodes,
    inputs: [{ name: 'x', type: 'float32', shape: dims }],
    outputs: [{ name: 'y', type: 'float32' }],
    initializers: new Map(Object.entries(initializers)),
    valueInfo: new Map(),
  };
}

const weight = tensorOf('float32', [1, 2, 3, 4, 5, 6], [2, 3]);
const ones = filled('float32', [3], 1);

test.each([
  ['minus infinity', Number.NEGATIVE_INFINITY],
  ['the lowest float', -3.4e38],
  ['minus a billion', -1e9],
])('what holds %s is a mask and does not train', (_, least) => {
  const mask = tensorOf('float32', [0, least, 0], [3]);
  const choices = chooseParameters(
    graph([node('MatMul', ['x', 'w'], 'p'), node('Add', ['p', 'mask'], 'y')], { w: weight, mask }),
    ['y'],
  );
  expect(choices.map(({ name, trains }) => [name, trains])).toEqual([
    ['w', true],
    ['mask', false],
  ]);
});

test('parameters that the exporter merged are named', () => {
  const merged = graph(
    [
      node('Identity', ['norm1.weight'], 'norm2.weight'),
      node('Identity', ['tied'], 'head'),
      node('Mul', ['x', 'norm2.weight'], 'y'),
    ],
    { 'norm1.weight': ones, tied: weight },
  );
  const warnings = tieWarnings(merged);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain('norm2.weight with norm1.weight');
  expect(warnings[0]).toContain('TrainingMode.TRAINING');
});

test('a weight that is the transpose of another is named', () => {
  const turned = tensorOf('float32', [1, 4, 2, 5, 3, 6], [3, 2]);
  const other = tensorOf('float32', [1, 4, 2, 5, 3, 7], [3, 2]);
  const warnings = tieWarnings(graph([], { table: weight, head: turned, other }));
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain('1 weights are transposed copies');
  expect(warnings[0]).toContain('head of table');
  expect(tieWarnings(graph([], { table: weight, other, ones }))).toEqual([]);
});

test('a model whose open batch can only be what it was exported with trains with that', async () => {
  const model: Model = {
    graph: graph([node('MatMul', ['x', 'w'], 'p'), node('Reshape', ['p', 'shape'], 'y')], {
      w: weight,
      shape: tensorOf('int64', [4, 3]),
    }),
    opsets: new Map([['', 17]]),
    irVersion: 8,
    functions: [],
    metadata: new Map(),
    producer: 'gradware-test',
  };
  const session = await TrainingSession.create(encodeModel(model), { loss: 'mse' });
  expect(session.trainingInputNames).toEqual(['x', 'target']);
  await session.release();
});
