import { expect, test } from 'vitest';
import type { Graph, Node } from '../../onnx/ir.js';
import { scoreOutputs } from './score-outputs.js';

const node = (opType: string, inputs: readonly string[], output: string): Node => ({
  ...{ name: output, opType, domain: '', inputs, outputs: [output], attributes: {} },
});

const graph = (...nodes: readonly Node[]): Graph => ({
  ...{ name: 'heads', nodes, inputs: [], outputs: [] },
  ...{ initializers: new Map(), valueInfo: new Map() },
});

const outputs = ['loss', 'hidden', 'logits', 'chances', 'offsets'];
const heads = [
  node('Gemm', ['hidden', 'w'], 'raw'),
  node('Identity', ['raw'], 'logits'),
  node('Gemm', ['hidden', 'v'], 'offsets'),
  node('Softmax', ['raw'], 'chances'),
];

test('scores are what the loss over classes takes, in any form with the same winner', () => {
  const cross = node('SoftmaxCrossEntropyLoss', ['logits', 'labels'], 'loss');
  expect(scoreOutputs(graph(...heads, cross), outputs)).toEqual(['logits', 'chances']);
});

test('without a loss over classes nobody knows', () => {
  expect(scoreOutputs(graph(...heads), outputs)).toBeUndefined();
});
