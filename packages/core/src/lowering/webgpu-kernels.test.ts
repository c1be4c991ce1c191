import { expect, test } from 'vitest';
import { createBuilder } from '../graph/builder.js';
import { toAttributes } from '../graph/value.js';
import type { DataType, Graph, Node } from '../onnx/ir.js';
import { nodesLeftToCpu } from './webgpu-kernels.js';

const node = (
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Node['attributes'] = {},
): Node => ({ name: `${opType}_${outputs[0]}`, opType, domain: '', inputs, outputs, attributes });

const branch = (...nodes: readonly Node[]): Graph => ({
  ...{ name: 'branch', nodes, inputs: [], outputs: [] },
  ...{ initializers: new Map(), valueInfo: new Map() },
});

function lacking(nodes: readonly Node[], types: Readonly<Record<string, DataType>>) {
  const builder = createBuilder();
  for (const [name, type] of Object.entries(types)) builder.declare({ name, type, shape: [2, 3] });
  return nodesLeftToCpu(nodes, builder).map(({ node: { name }, kernel }) => [name, kernel]);
}

test('an op, a type or a form without a kernel is named', () => {
  const nodes = [
    node('Exp', ['x'], ['a']),
    node('Det', ['x'], ['b']),
    node('Add', ['n', 'n'], ['c']),
    node('Cast', ['x'], ['d']),
    node('MaxPool', ['x'], ['e', 'indices']),
  ];
  expect(lacking(nodes, { x: 'float32', n: 'int64', d: 'float64' })).toEqual([
    ['Det_b', 'Det'],
    ['Add_c', 'Add of int64'],
    ['Cast_d', 'Cast of float64'],
    ['MaxPool_e', 'MaxPool with Indices'],
  ]);
});

test('nodes of nested graphs count, whether or not the node around them has a kernel', () => {
  const inner = branch(node('Constant', [], ['k']), node('Round', ['x'], ['r']));
  const other = branch(node('Abs', ['x'], ['s']));
  const branches = toAttributes({ then_branch: inner, else_branch: other });
  const body = toAttributes({ body: inner });
  const nodes = [node('If', ['when'], ['a'], branches), node('Scan', ['x'], ['b'], body)];
  expect(lacking(nodes, { x: 'float32', when: 'bool' })).toEqual([
    ['Round_r', 'Round'],
    ['Scan_b', 'Scan'],
    ['Round_r', 'Round'],
  ]);
});
