import { expect, test } from 'vitest';
import { tensorOf } from '../../graph/constants.js';
import type { Graph, Node } from '../../onnx/ir.js';
import { evaluationExportWarnings } from './trainable.js';

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
