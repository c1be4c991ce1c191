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
  const choice = chooseParameters(graph, ['y']).find(({ name }) => name === 'one');
  expect(choice?.trains).toBe(trains);
});

test.each<[string, readonly string[] | undefined, readonly string[] | undefined, string]>([
  ['nothing is named', undefined, undefined, 'used as a scale'],
  ['others are to train', ['w'], undefined, 'used as a scale'],
  ['all are frozen', undefined, ['*'], 'used as a scale'],
  ['it is named', ['scales'], undefined, 'named by requiresGrad'],
])('what decides a shape stays in the graph where %s', (_, requiresGrad, frozenParams, why) => {
  const graph: Graph = {
    name: 'resized',
    nodes: [node('Conv', ['x', 'w'], 'c'), node('Resize', ['c', '', 'scales'], 'y')],
    inputs: [{ name: 'x' }],
    outputs: [{ name: 'y' }],
    initializers: new Map([
      ['w', tensorOf('float32', [1, 2], [2, 1, 1, 1])],
      ['scales', tensorOf('float32', [1, 1, 2, 2], [4])],
    ]),
    valueInfo: new Map(),
  };
  const choices = chooseParameters(graph, ['y'], { requiresGrad, frozenParams });
  expect(choices.find(({ name }) => name === 'scales')?.why).toBe(why);
});

test('numbers that a shape is made of stay in the graph', () => {
  const graph: Graph = {
    name: 'resized',
    nodes: [
      node('Conv', ['x', 'w'], 'c'),
      node('Concat', ['ones', 'factors'], 'scales'),
      node('Resize', ['c', '', 'scales'], 'y'),
      node('Mul', ['factors', 'table'], 'unused'),
    ],
    inputs: [{ name: 'x' }],
    outputs: [{ name: 'y' }],
    initializers: new Map([
      ['w', tensorOf('float32', [1, 2], [2, 1, 1, 1])],
      ['ones', tensorOf('float32', [1, 1], [2])],
      ['factors', tensorOf('float32', [2, 2], [2])],
      ['table', tensorOf('float32', [3, 4], [2])],
    ]),
    valueInfo: new Map(),
  };
  const choices = chooseParameters(graph, ['y'], { requiresGrad: ['w'] });
  expect(choices.map(({ name, why }) => [name, why])).toEqual([
    ['w', 'named by requiresGrad'],
    ['ones', 'used as a part of a shape'],
    ['factors', 'used as a part of a shape'],
    ['table', 'not named by requiresGrad'],
  ]);
});

const recurrent = (opType: string, inputs: readonly string[], body?: Graph): Node => ({
  ...node(opType, inputs, 'y'),
  attributes: body ? { body: { type: 'graph', value: body } } : {},
});
/** h ← h·w + b, where w and b are carried along. */
const turn: Graph = {
  name: 'turn',
  nodes: [node('Gemm', ['h', 'w1', 'b1'], 'next')],
  inputs: ['t', 'on', 'h', 'w1', 'b1'].map((name) => ({ name })),
  outputs: ['on', 'next', 'w1', 'b1'].map((name) => ({ name })),
  initializers: new Map(),
  valueInfo: new Map(),
};

test.each([
  ['a GRU', [recurrent('GRU', ['x', 'w', 'w', '', '', 'h0'])], ['w']],
  ['an LSTM', [recurrent('LSTM', ['x', 'w', 'w', 'b', '', 'h0', 'c0'])], ['w', 'b', 'c0']],
  ['a Loop', [recurrent('Loop', ['', '', 'h0', 'w', 'b'], turn)], ['w', 'b']],
  [
    'what also is added',
    [node('Add', ['x', 'h0'], 'z'), recurrent('GRU', ['z', 'w', 'w', '', '', 'h0'])],
    ['h0', 'w'],
  ],
])('the zeros that %s starts from', (_, nodes, trained) => {
  const used = new Set(nodes.flatMap(({ inputs }) => inputs));
  const weights = ['h0', 'w', 'b', 'c0'].filter((name) => used.has(name));
  const graph: Graph = {
    name: 'recurrent',
    nodes,
    inputs: [{ name: 'x' }],
    outputs: [{ name: 'y' }],
    initializers: new Map(
      weights.map((name) => [name, tensorOf('float32', name === 'c0' ? [0, 1] : [0, 0], [1, 2])]),
    ),
    valueInfo: new Map(),
  };
  const choices = chooseParameters(graph, ['y']);
  expect(choices.flatMap(({ name, trains }) => (trains ? [name] : []))).toEqual(trained);
});
