import { expect, test } from 'vitest';
import { tensorOf } from '../../graph/constants.js';
import { inlineFunctions } from '../../graph/inline.js';
import type { Attribute, FunctionDefinition, Graph, Model, Node } from '../../onnx/ir.js';
import { withWeightsOutside } from './nested-weights.js';

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
