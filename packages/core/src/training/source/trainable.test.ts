import { expect, test } from 'vitest';
import { tensorOf } from '../../graph/constants.js';
import type { Graph, Node } from '../../onnx/ir.js';
import { chooseParameters, evaluationExportWarnings } from './trainable.js';

const conv = (name: string, inputs: readonly string[]): Node => ({
  name,
  opType: 'Conv',
  domain: '',
  inputs,
  outputs: [`${name}/out`],
  attributes: {},
});

test('counts the convolutions that batch norms were folded into, not their tensors', () => {
  const weights = ['onnx::Conv_16', 'onnx::Conv_17', 'own.weight'];
  const graph: Graph = {
    name: 'folded',
    nodes: [
      conv('first', ['x', 'onnx::Conv_16', 'onnx::Conv_17']),
      conv('second', ['first/out', 'own.weight']),
    ],
    inputs: [{ name: 'x' }],
    outputs: [{ name: 'second/out' }],
    initializers: new Map(weights.map((name) => [name, tensorOf('float32', [1], [1])])),
    valueInfo: new Map(),
  };
  expect(evaluationExportWarnings(graph)).toEqual([
    expect.stringMatching(/folded into 1 of the convolutions/),
  ]);
});

const node = (opType: string, inputs: readonly string[], output: string): Node => ({
  name: output,
  opType,
  domain: '',
  inputs,
  outputs: [output],
  attributes: {},
});

test.each([
  ['the bias of a last layer', [node('Gemm', ['x', 'w', 'one'], 'y')], [1], true],
  ['a filter of one channel', [node('Conv', ['x', 'one'], 'y')], [1, 1, 1, 1], true],
  ['the slope of a PRelu', [node('PRelu', ['x', 'one'], 'y')], [1], true],
  [
    'the bias of a product',
    [node('MatMul', ['x', 'w'], 'xw'), node('Add', ['one', 'xw'], 'y')],
    [1],
    true,
  ],
  ['what is added to anything else', [node('Add', ['x', 'one'], 'y')], [1], false],
  ['a factor', [node('Mul', ['x', 'one'], 'y')], [1], false],
  [
    'a number without axes',
    [node('MatMul', ['x', 'w'], 'xw'), node('Add', ['xw', 'one'], 'y')],
    [],
    false,
  ],
])('of single numbers, %s', (_, nodes, shape, trains) => {
  const graph: Graph = {
    name: 'single',
    nodes,
    inputs: [{ name: 'x' }],
    outputs: [{ name: 'y' }],
    initializers: new Map([
      ['one', tensorOf('float32', [1], shape)],
      ['w', tensorOf('float32', [1, 2], [2, 1])],
    ]),
    valueInfo: new Map(),
  };
  const choice = chooseParameters(graph, ['y'], undefined, undefined).find(
    ({ name }) => name === 'one',
  );
  expect(choice?.trains).toBe(trains);
});
