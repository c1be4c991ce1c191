import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import type { FunctionDefinition, Model, Node } from '../onnx/ir.js';
import { encodeModel } from '../onnx/model.js';
import { tensorOf } from './constants.js';
import { inlineFunctions } from './inline.js';
import { upgradeModel } from './upgrade.js';

function node(opType: string, inputs: string, outputs: string, more: Partial<Node> = {}): Node {
  const list = (names: string) => names.split(' ').map((name) => (name === '-' ? '' : name));
  return {
    name: '',
    opType,
    domain: '',
    inputs: list(inputs),
    outputs: list(outputs),
    attributes: {},
    ...more,
  };
}

function definition(
  name: string,
  inputs: readonly string[],
  outputs: readonly string[],
  nodes: readonly Node[],
  more: Partial<FunctionDefinition> = {},
): FunctionDefinition {
  return {
    name,
    domain: 'own',
    inputs,
    outputs,
    attributes: [],
    defaults: {},
    nodes,
    opsets: new Map([
      ['', 17],
      ['own', 1],
    ]),
    ...more,
  };
}

function modelOf(nodes: readonly Node[], functions: readonly FunctionDefinition[]): Model {
  return {
    graph: {
      name: 'caller',
      nodes,
      inputs: [{ name: 'x', type: 'float32', shape: [3] }],
      outputs: [{ name: 'y', type: 'float32', shape: [3] }],
      initializers: new Map([['w', tensorOf('float32', [1, -2, 3])]]),
      valueInfo: new Map(),
    },
    opsets: new Map([
      ['', 17],
      ['own', 1],
    ]),
    irVersion: 8,
    functions,
    metadata: new Map(),
    producer: 'test',
  };
}

async function run(model: Model): Promise<readonly number[]> {
  const session = await InferenceSession.create(encodeModel(model));
  const { y } = await session.run({ x: new Tensor('float32', [0.5, -1, 2], [3]) });
  await session.release();
  return Array.from(y?.data as Float32Array);
}

const own = { domain: 'own' } as const;
const leaky = definition(
  'Leaky',
  ['a', 'b'],
  ['c'],
  [
    node('Mul', 'a b', 'product'),
    node('LeakyRelu', 'product', 'c', {
      attributes: { alpha: { type: 'reference', value: 'slope' } },
    }),
  ],
  { attributes: ['slope'], defaults: { slope: { type: 'float', value: 0.25 } } },
);
const twice = definition(
  'Twice',
  ['a', 'b'],
  ['c', 'a'],
  [
    node('Leaky', 'a b', 'once', { ...own, attributes: { slope: { type: 'float', value: 0.5 } } }),
    node('Leaky', 'once b', 'c', own),
  ],
);

test('functions are put where they are called, with their attributes', async () => {
  const model = modelOf(
    [node('Twice', 'x w', 'z', own), node('Leaky', 'z w', 'v', own), node('Add', 'v x', 'y')],
    [leaky, twice],
  );
  const inlined = inlineFunctions(model);
  expect(inlined.functions).toEqual([]);
  expect(inlined.graph.nodes.map(({ opType }) => opType).sort()).toEqual(
    ['Add', 'LeakyRelu', 'LeakyRelu', 'LeakyRelu', 'Mul', 'Mul', 'Mul'].sort(),
  );
  const outputs = inlined.graph.nodes.flatMap((made) => made.outputs);
  expect(new Set(outputs).size).toBe(outputs.length);
  expect(await run(inlined)).toEqual([1, 1, 56]);
  expect(upgradeModel(model).functions).toEqual([]);
});

test('an input that a function hands through stays what it was', async () => {
  const both = definition('Both', ['a'], ['a', 'c'], [node('Neg', 'a', 'c')]);
  const model = modelOf([node('Both', 'x', 'same n', own), node('Mul', 'same n', 'y')], [both]);
  expect(await run(inlineFunctions(model))).toEqual([-0.25, -1, -4]);
});

test('nested graphs of a function see the values of its caller', async () => {
  const branch = (name: string, opType: string) => ({
    type: 'graph' as const,
    value: {
      name,
      nodes: [node(opType, 'a', name)],
      inputs: [],
      outputs: [{ name }],
      initializers: new Map(),
      valueInfo: new Map(),
    },
  });
  const choose = definition(
    'Choose',
    ['a', 'when'],
    ['c'],
    [
      node('If', 'when', 'c', {
        attributes: { then_branch: branch('t', 'Neg'), else_branch: branch('e', 'Abs') },
      }),
    ],
  );
  const model = modelOf(
    [
      node('ReduceSum', 'x', 's', { attributes: { keepdims: { type: 'int', value: 0 } } }),
      node('Sub', 's s', 'zero'),
      node('Greater', 's zero', 'positive'),
      node('Choose', 'x positive', 'y', own),
    ],
    [choose],
  );
  expect(await run(inlineFunctions(model))).toEqual([-0.5, 1, -2]);
});

test('a function that calls itself is refused', () => {
  const again = definition('Again', ['a'], ['c'], [node('Again', 'a', 'c', own)]);
  expect(() => inlineFunctions(modelOf([node('Again', 'x', 'y', own)], [again]))).toThrow(
    /calls itself/,
  );
});

test('functions that grow beyond all measure are refused', () => {
  const levels = Array.from({ length: 40 }, (_, i) =>
    definition(
      `F${i}`,
      ['a'],
      ['c'],
      [
        node(i === 39 ? 'Neg' : `F${i + 1}`, 'a', 'b', i === 39 ? {} : own),
        node(i === 39 ? 'Neg' : `F${i + 1}`, 'b', 'c', i === 39 ? {} : own),
      ],
    ),
  );
  const { user } = process.cpuUsage();
  expect(() => inlineFunctions(modelOf([node('F0', 'x', 'y', own)], levels))).toThrow(/more than/);
  // Nothing of it is written before it is known how much that is.
  expect(process.cpuUsage().user - user).toBeLessThan(100_000);
});
