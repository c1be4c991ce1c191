import { expect, test } from 'vitest';
import type { Attribute, Graph, Model, Node, ValueInfo } from '../onnx/ir.js';
import { scalar } from '../onnx/tensor.js';
import { readOptimizerModel } from './optimizer-model.js';
import { parseTrainingModel } from './training-model.js';

const node = (
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
  domain = 'com.microsoft',
): Node => ({ name: `${opType}_${outputs[0]}`, opType, domain, inputs, outputs, attributes });

const value = (name: string, shape: ValueInfo['shape'] = [2]): ValueInfo => ({
  name,
  type: 'float32',
  shape,
});

const model = (graph: Partial<Graph>): Model => ({
  graph: {
    name: 'g',
    nodes: [],
    inputs: [],
    outputs: [],
    initializers: new Map(),
    valueInfo: new Map(),
    ...graph,
  },
  opsets: new Map([['', 14]]),
  irVersion: 8,
  functions: [],
  metadata: new Map(),
  producer: '',
});

const buffer = (name: string): string => `${name}_grad.accumulation.buffer`;
const out = (name: string): string => `${name}_grad.accumulation.out`;

const accumulate = (name: string, op = 'InPlaceAccumulatorV2'): Node =>
  node(op, [buffer(name), `${name}_grad`, 'lazy_reset_grad'], [out(name)]);

/** A training model of two trainable parameters and a frozen one, with a user's own names that end in _grad. */
const training = model({
  inputs: [
    value('x_grad'),
    value('frozen', [5]),
    value('a', [2, 3]),
    value('b_grad'),
    value(buffer('b_grad')),
    value(buffer('a')),
    { name: 'lazy_reset_grad', type: 'bool', shape: [1] },
  ],
  outputs: [value('loss', []), value('extra_grad'), value(out('a')), value(out('b_grad'))],
  nodes: [
    node('Forward', ['x_grad', 'frozen', 'a', 'b_grad'], ['loss', 'extra_grad'], {}, ''),
    node('Backward', ['loss_grad'], ['a_grad', 'b_grad_grad'], {}, ''),
    accumulate('b_grad'),
    accumulate('a'),
  ],
  initializers: new Map([['loss_grad', scalar('float32', 1)]]),
});

test('accumulators make way for the gradients, in the order of the parameters', () => {
  const parsed = parseTrainingModel(training, { parameters: ['a', 'b_grad', 'frozen'] });
  expect(parsed.userInputs.map(({ name }) => name)).toEqual(['x_grad']);
  expect(parsed.parameterInputs.map(({ name }) => name)).toEqual(['frozen', 'a', 'b_grad']);
  expect(parsed.trainable).toEqual([
    { parameter: 'a', gradient: 'a_grad' },
    { parameter: 'b_grad', gradient: 'b_grad_grad' },
  ]);
  expect(parsed.loss).toBe('loss');
  expect(parsed.outputs.map(({ name }) => name)).toEqual(['extra_grad']);
  expect(parsed.seed).toBe('loss_grad');
  expect(parsed.graph.nodes.map(({ opType }) => opType)).toEqual(['Forward', 'Backward']);
  expect(parsed.graph.inputs.map(({ name }) => name)).toEqual(['x_grad', 'frozen', 'a', 'b_grad']);
  expect(parsed.graph.outputs).toEqual([
    value('loss', []),
    value('extra_grad'),
    value('a_grad', [2, 3]),
    value('b_grad_grad'),
  ]);
});

test('without the names of the checkpoint, parameters begin at the first trainable one', () => {
  const { userInputs } = parseTrainingModel(training);
  expect(userInputs.map(({ name }) => name)).toEqual(['x_grad', 'frozen']);
});

test('accumulators of the first version are known too', () => {
  const nodes = training.graph.nodes.map((each) => ({
    ...each,
    opType: each.opType.replace('V2', ''),
  }));
  const old = model({ ...training.graph, nodes });
  expect(parseTrainingModel(old)).toEqual(parseTrainingModel(training));
});

test('without accumulators the gradients are outputs, told by their names', () => {
  const graph = model({
    inputs: [value('x'), value('w')],
    outputs: [value('x_grad', []), value('y'), value('w_grad')],
    nodes: [node('Both', ['x', 'w'], ['x_grad', 'y', 'w_grad'], {}, '')],
  });
  const parsed = parseTrainingModel(graph);
  expect(parsed.loss).toBe('x_grad');
  expect(parsed.outputs.map(({ name }) => name)).toEqual(['y']);
  expect(parsed.trainable).toEqual([{ parameter: 'w', gradient: 'w_grad' }]);
});

test('an input that is used besides by a node stays', () => {
  const nodes = [...training.graph.nodes, node('Not', ['lazy_reset_grad'], ['n'], {}, '')];
  const { graph } = parseTrainingModel(model({ ...training.graph, nodes }));
  expect(graph.inputs.map(({ name }) => name)).toContain('lazy_reset_grad');
});

test.each<[string, Partial<Graph>, RegExp]>([
  ['a model without gradients', { inputs: [value('x')], outputs: [value('y')] }, /no gradients/],
  [
    'a gradient of no input',
    { inputs: [value('x')], outputs: [value('loss')], nodes: [accumulate('w')] },
    /"w_grad" belongs to no input/,
  ],
  [
    'a gradient accumulated twice',
    { ...training.graph, nodes: [accumulate('a'), accumulate('a')] },
    /"a" is accumulated more than once/,
  ],
  [
    'a model without a loss',
    { ...training.graph, outputs: [value(out('a')), value(out('b_grad'))] },
    /no loss/,
  ],
  [
    'an accumulated gradient in use',
    {
      ...training.graph,
      nodes: [...training.graph.nodes, node('Relu', [out('a')], ['r'], {}, '')],
    },
    /is used inside the model/,
  ],
])('%s is refused', (_, graph, problem) => {
  expect(() => parseTrainingModel(model(graph), { file: 't.onnx' })).toThrow(problem);
});

const float = (number: number): Attribute => ({ type: 'float', value: number });
const int = (number: number): Attribute => ({ type: 'int', value: number });

const optimizer = (...nodes: readonly Node[]) => readOptimizerModel(model({ nodes }), 'o.onnx');

test("AdamW has ONNX Runtime's defaults where attributes are missing", () => {
  expect(optimizer(node('AdamWOptimizer', [], ['flag']))).toEqual({
    kind: 'adamw',
    mode: 'torch',
    betas: [0.9, 0.999],
    epsilon: 1e-8,
    weightDecay: 1e-2,
    biasCorrection: true,
  });
});

test('AdamW keeps its attributes', () => {
  const attributes = {
    alpha: float(0.5),
    beta: float(0.75),
    epsilon: float(0.25),
    weight_decay: float(0.125),
    correct_bias: int(0),
    adam_mode: int(1),
  };
  expect(optimizer(node('AdamWOptimizer', [], ['flag'], attributes))).toEqual({
    kind: 'adamw',
    mode: 'huggingface',
    betas: [0.5, 0.75],
    epsilon: 0.25,
    weightDecay: 0.125,
    biasCorrection: false,
  });
});

test('SGD and clipping are recognised, with the default norm', () => {
  const clip = node('InplaceClipGradNorm', ['gradients'], ['clipped']);
  const sgd = node('SGDOptimizerV2', ['learning_rate', 'params', 'clipped'], ['flag']);
  expect(optimizer(sgd)).toEqual({ kind: 'sgd' });
  expect(optimizer(clip, sgd)).toEqual({ kind: 'sgd', clipGradNorm: { maxNorm: 1 } });
  const tighter = { ...clip, attributes: { max_norm: float(0.5) } };
  expect(optimizer(tighter, sgd)).toMatchObject({ clipGradNorm: { maxNorm: 0.5 } });
});

test('one optimizer for each parameter counts as one where they agree', () => {
  const single = (lambda: number) =>
    node('AdamOptimizer', [], [`flag${lambda}`], { lambda: float(lambda) });
  expect(optimizer(single(0), single(0))).toMatchObject({ kind: 'adamw', weightDecay: 0 });
  expect(() => optimizer(single(0), single(1))).toThrow(/different settings/);
});

test.each<[string, readonly Node[], RegExp]>([
  ['another optimizer', [node('LambOptimizer', [], ['flag'])], /has the ops LambOptimizer/],
  ['no nodes at all', [], /has the ops \(none\)/],
  ['an op of the same name elsewhere', [node('AdamWOptimizer', [], ['f'], {}, 'own')], /No known/],
  [
    'an unknown mode',
    [node('AdamWOptimizer', [], ['flag'], { adam_mode: int(2) })],
    /unknown mode 2/,
  ],
  [
    "PyTorch's form without bias correction",
    [node('AdamWOptimizer', [], ['flag'], { correct_bias: int(0) })],
    /needs its bias correction/,
  ],
  [
    'an attribute that is no number',
    [node('AdamWOptimizer', [], ['flag'], { alpha: { type: 'string', value: '0.9' } })],
    /"alpha" is no number/,
  ],
  [
    'a learning rate that is computed',
    [
      node('Mul', ['learning_rate', 'half'], ['rate'], {}, ''),
      node('SGDOptimizerV2', ['rate', 'gradients', 'params'], ['flag']),
    ],
    /"rate", which the model computes \(o\.onnx, node ".*" \(Mul\)\)/,
  ],
  [
    'gradients that are computed before they are clipped',
    [
      node('Mul', ['fc.weight_grad', 'half'], ['halved'], {}, ''),
      node('SequenceConstruct', ['halved'], ['gradients'], {}, ''),
      node('InplaceClipGradNorm', ['gradients'], ['clipped']),
      node('SGDOptimizerV2', ['learning_rate', 'clipped', 'params'], ['flag']),
    ],
    /"halved", which the model computes/,
  ],
  [
    'another norm',
    [
      node('InplaceClipGradNorm', [], ['c'], { norm_type: { type: 'string', value: 'inf' } }),
      node('SGDOptimizerV2', [], ['flag']),
    ],
    /another norm/,
  ],
])('an optimizer model with %s is refused', (_, nodes, problem) => {
  expect(() => optimizer(...nodes)).toThrow(problem);
});
