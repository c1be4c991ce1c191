import { Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { tensorOf } from '../../graph/constants.js';
import { inlineFunctions } from '../../graph/inline.js';
import { TrainingSession } from '../../node.js';
import type { Attribute, FunctionDefinition, Graph, Model, Node } from '../../onnx/ir.js';
import { encodeModel } from '../../onnx/model.js';
import { withWeightsOutside } from './nested-weights.js';
import { chooseParameters } from './trainable.js';

function node(opType: string, inputs: string, output: string, more: Partial<Node> = {}): Node {
  return {
    ...{ name: output, opType, domain: '', attributes: {} },
    ...{ inputs: inputs === '' ? [] : inputs.split(' '), outputs: [output] },
    ...more,
  };
}

const holding = (value: readonly number[]): Partial<Node> => ({
  attributes: { value: { type: 'tensor', value: tensorOf('float32', value) } },
});
const own = { domain: 'own' };

function definition(name: string, nodes: readonly Node[]): FunctionDefinition {
  return {
    ...{ name, domain: 'own', inputs: ['a'], outputs: ['r'], attributes: [], defaults: {} },
    ...{ nodes, opsets: new Map([['', 17]]) },
  };
}

function modelOf(nodes: readonly Node[], functions: readonly FunctionDefinition[] = []): Model {
  return {
    graph: {
      ...{ name: 'model', nodes, inputs: [{ name: 'x' }], outputs: [{ name: 'y' }] },
      ...{ initializers: new Map([['w', tensorOf('float32', [1, 2])]]), valueInfo: new Map() },
    },
    ...{ opsets: new Map([['', 17]]), irVersion: 8, functions, metadata: new Map() },
    producer: '',
  };
}

test('weights that functions hold are initializers that all calls share', () => {
  const inner = definition('inner', [
    node('Constant', '', 'c', holding([3, 4])),
    node('Constant', '', 'half', holding([0.5])),
    node('Mul', 'a c', 'ac'),
    node('Mul', 'ac half', 'r'),
  ]);
  const outer = definition('outer', [
    node('Constant', '', 'c', holding([5, 6])),
    node('inner', 'a', 'i', own),
    node('Add', 'i c', 'r'),
  ]);
  const made = inlineFunctions(
    withWeightsOutside(
      modelOf(
        [node('outer', 'x', 'p', own), node('inner', 'p', 'q', own), node('outer', 'q', 'y', own)],
        [outer, inner],
      ),
    ),
  );
  expect([...made.graph.initializers].map(([name, { data }]) => [name, [...data]])).toEqual([
    ['w', [1, 2]],
    ['outer/c', [5, 6]],
    ['inner/c', [3, 4]],
  ]);
  const users = (name: string) => made.graph.nodes.filter(({ inputs }) => inputs.includes(name));
  expect(users('inner/c').map(({ opType }) => opType)).toEqual(['Mul', 'Mul', 'Mul']);
  expect(users('outer/c').map(({ opType }) => opType)).toEqual(['Add', 'Add']);
});

test('weights of bodies and branches are initializers of the model, under names of their own', () => {
  const branch = (value: number): Attribute => ({
    type: 'graph',
    value: {
      ...{ name: 'branch', nodes: [node('Add', 'x w2', 'sum')], inputs: [] },
      ...{ outputs: [{ name: 'sum' }], valueInfo: new Map() },
      initializers: new Map([
        ['w2', tensorOf('float32', [value, value])],
        ['single', tensorOf('float32', [value])],
      ]),
    },
  });
  const attributes = { then_branch: branch(3), else_branch: branch(4) };
  const { graph } = withWeightsOutside(modelOf([node('If', 'on', 'y', { attributes })]));
  expect([...graph.initializers].map(([name, { data }]) => [name, [...data]])).toEqual([
    ['w', [1, 2]],
    ['w2_1', [3, 3]],
    ['w2_2', [4, 4]],
  ]);
  const branches = Object.values(graph.nodes[0]?.attributes ?? {}).map(
    (attribute) => (attribute as { readonly value: Graph }).value,
  );
  expect(branches.map(({ nodes }) => nodes[0]?.inputs)).toEqual([
    ['x', 'w2_1'],
    ['x', 'w2_2'],
  ]);
  expect(branches.map(({ initializers }) => [...initializers.keys()])).toEqual([
    ['single'],
    ['single'],
  ]);
});

test('Constant nodes of branches are weights where the model has no other', () => {
  const nodes = [node('Constant', '', 'c', holding([3, 4])), node('Add', 'x c', 'sum')];
  const branch: Attribute = {
    type: 'graph',
    value: {
      ...{ name: 'branch', nodes, inputs: [], outputs: [{ name: 'sum' }] },
      ...{ initializers: new Map(), valueInfo: new Map() },
    },
  };
  const attributes = { then_branch: branch, else_branch: branch };
  const besides = modelOf([node('If', 'on', 'y', { attributes })]);
  expect([...withWeightsOutside(besides).graph.initializers.keys()]).toEqual(['w']);
  const without = { ...besides, graph: { ...besides.graph, initializers: new Map() } };
  const { graph } = withWeightsOutside(without);
  expect([...graph.initializers.keys()]).toEqual(['c_1', 'c_2']);
  const { then_branch: moved } = graph.nodes[0]?.attributes ?? {};
  expect((moved as { readonly value: Graph }).value.nodes.map(({ inputs }) => inputs)).toEqual([
    ['x', 'c_1'],
  ]);
});

const nodesIn = (name: string, nodes: readonly Node[], held: string, inputs = ''): Attribute => ({
  type: 'graph',
  value: {
    ...{ name, nodes, outputs: [{ name: nodes.at(-1)?.outputs[0] ?? '' }], valueInfo: new Map() },
    inputs: inputs === '' ? [] : inputs.split(' ').map((input) => ({ name: input })),
    initializers: new Map(held.split(' ').map((key) => [key, tensorOf('float32', [1, 2])])),
  },
});

/** Which weights of a model train, and why the others do not. */
function choices(model: Model): Readonly<Record<string, string>> {
  const { graph } = inlineFunctions(withWeightsOutside(model));
  return Object.fromEntries(
    chooseParameters(graph, ['y'])
      .filter(({ name }) => name !== 'w')
      .map(({ name, trains, why }) => [name, trains ? 'trains' : why]),
  );
}

test.each<readonly [string, Node, Readonly<Record<string, string>>]>([
  [
    'a batch norm and a scaling of a branch',
    node('If', 'on', 'y', {
      attributes: {
        then_branch: nodesIn(
          'then',
          [node('BatchNormalization', 'x gamma beta mean var', 'normed')],
          'gamma beta mean var',
        ),
        else_branch: nodesIn(
          'else',
          [
            node('Resize', 'x  scales', 'large'),
            node('Pow', 'large exponent', 'power'),
            node('Mul', 'power factor', 'p'),
          ],
          'scales exponent factor',
        ),
      },
    }),
    {
      ...{ gamma: 'trains', beta: 'trains', factor: 'trains' },
      ...{ mean: 'used as a running statistic', var: 'used as a running statistic' },
      ...{ scales: 'used as a scale', exponent: 'used as an exponent' },
    },
  ],
  [
    'the body of a loop, and of a branch in it',
    node('Loop', 'many on x', 'y', {
      attributes: {
        body: nodesIn(
          'body',
          [
            node('BatchNormalization', 'h gamma beta mean var', 'normed'),
            node('If', 'going', 'next', {
              attributes: {
                then_branch: nodesIn('then', [node('Resize', 'normed  scales', 'r')], 'scales'),
                else_branch: nodesIn('else', [node('Add', 'normed mean', 's')], 'bias'),
              },
            }),
          ],
          'gamma beta mean var',
          'turn going h',
        ),
      },
    }),
    {
      // What is added, too, is more than a statistic.
      ...{
        gamma: 'trains',
        beta: 'trains',
        mean: 'trains',
        bias: 'the loss does not depend on it',
      },
      ...{ var: 'used as a running statistic', scales: 'used as a scale' },
    },
  ],
  [
    'the body of a scan, whose state has the name of a weight around it',
    node('Scan', 'x x', 'y', {
      attributes: {
        num_scan_inputs: { type: 'int', value: 1 },
        body: nodesIn(
          'body',
          [node('Mul', 'w each', 'm'), node('Upsample', 'm scales', 'next')],
          'scales',
          'w each',
        ),
      },
    }),
    { scales: 'used as a scale' },
  ],
])('what is no weight does not train in %s', (_, nested, expected) => {
  expect(choices(modelOf([nested]))).toEqual(expected);
});

test('a value that a nested graph names anew is not the weight around it', () => {
  const model = modelOf([
    node('Scan', 'x x', 'y', {
      attributes: {
        num_scan_inputs: { type: 'int', value: 1 },
        body: nodesIn('body', [node('Mul', 'w each', 'm')], 'c', 'w each'),
      },
    }),
  ]);
  const chosen = chooseParameters(model.graph, ['y']);
  expect(chosen.map(({ name, trains }) => [name, trains])).toEqual([['w', false]]);
});

test('weights of branches in functions are initializers, and what nobody calls holds its own', () => {
  const branch = (inner: string) => nodesIn(inner, [node('Gemm', `a ${inner}`, 'r1')], inner);
  const constant: Attribute = nodesIn(
    'constant',
    [
      node('Constant', '', 'c', holding([3, 4])),
      node('Constant', '', 'scales', holding([1, 2])),
      node('Resize', 'a  scales', 'large'),
      node('Mul', 'large c', 'r1'),
    ],
    'kept',
  );
  const attributes = { then_branch: branch('c'), else_branch: constant };
  const called = definition('called', [node('If', 'a', 'r', { attributes })]);
  const idle = definition('idle', [
    node('Constant', '', 'c', holding([5, 6])),
    node('Mul', 'a c', 'r'),
  ]);
  const model = modelOf(
    [node('called', 'x', 'p', own), node('called', 'p', 'y', own)],
    [called, idle],
  );
  expect(choices(model)).toEqual({
    ...{ 'called/c': 'trains', 'called/c_1': 'trains' },
    ...{ 'called/kept': 'the loss does not depend on it', 'called/scales': 'used as a scale' },
  });
  const made = withWeightsOutside(model);
  expect(made.functions[1]).toBe(idle);
  const branches = inlineFunctions(made).graph.nodes.flatMap(({ attributes: { else_branch } }) =>
    else_branch?.type === 'graph' ? [else_branch.value.nodes.map(({ inputs }) => inputs)] : [],
  );
  expect(branches).toEqual(
    ['x', 'p'].map((a) => [
      [a, '', 'called/scales'],
      [expect.stringMatching(/large$/), 'called/c_1'],
    ]),
  );
});

test('a model trains whose branches normalise, scale and raise to a power', async () => {
  const single = { type: 'float32', shape: ['n', 2, 2, 2] } as const;
  const branch = (nodes: readonly Node[], held: Graph['initializers']): Attribute => ({
    type: 'graph',
    value: {
      ...{ name: 'branch', nodes, inputs: [], valueInfo: new Map(), initializers: held },
      outputs: [{ name: nodes.at(-1)?.outputs[0] ?? '', type: 'float32' }],
    },
  });
  const pooling: Partial<Node> = {
    attributes: {
      kernel_shape: { type: 'ints', value: [2, 2] },
      strides: { type: 'ints', value: [2, 2] },
    },
  };
  const attributes = {
    then_branch: branch(
      [
        node('BatchNormalization', 'x gamma beta mean var', 'normed'),
        node('Pow', 'normed exponents', 'p'),
      ],
      new Map([
        ['gamma', tensorOf('float32', [1, 2])],
        ['beta', tensorOf('float32', [0, 1])],
        ['mean', tensorOf('float32', [0.1, 0.2])],
        ['var', tensorOf('float32', [0.001, 1])],
        ['exponents', tensorOf('float32', [1, 2], [2, 1, 1])],
      ]),
    ),
    else_branch: branch(
      [node('Resize', 'x  scales', 'large'), node('AveragePool', 'large', 'r', pooling)],
      new Map([['scales', tensorOf('float32', [1, 1, 2, 2])]]),
    ),
  };
  const model = modelOf([
    node('ReduceSum', 'x', 'sum', { attributes: { keepdims: { type: 'int', value: 0 } } }),
    node('Less', 'sum most', 'on'),
    node('If', 'on', 'branched', { attributes }),
    node('Mul', 'branched w', 'y'),
  ]);
  const initializers = new Map([
    ['w', tensorOf('float32', [1, 2], [2, 1, 1])],
    ['most', tensorOf('float32', [6], [])],
  ]);
  const graph = { ...model.graph, initializers, inputs: [{ name: 'x', ...single }] };
  const outputs = [{ name: 'y', ...single }];
  const bytes = encodeModel({ ...model, graph: { ...graph, outputs } });
  const session = await TrainingSession.create(bytes, { loss: 'mse' });
  expect(session.trainableNames).toEqual(['w', 'gamma', 'beta']);
  expect(session.frozenNames).toEqual(['mean', 'var']);
  const numbers = Float32Array.from({ length: 8 }, (_, i) => Math.sin(i));
  const x = new Tensor('float32', numbers, [1, 2, 2, 2]);
  const target = new Tensor('float32', new Float32Array(8), [1, 2, 2, 2]);
  const first = await session.step({ x, target });
  const second = await session.step({ x, target });
  expect(second.loss).toBeLessThan(first.loss);
  await session.release();
});
