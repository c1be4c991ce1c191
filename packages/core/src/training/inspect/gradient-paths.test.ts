import { expect, test } from 'vitest';
import type { Attribute, Model, Node, TensorData } from '../../onnx/ir.js';
import { encodeModel } from '../../onnx/model.js';
import { nodeFiles } from '../../runtime/node-files.js';
import { inspectModel } from './inspect-model.js';

type Given = readonly [op: string, inputs: string, output: string, attributes?: Node['attributes']];

const microsoft = 'com.microsoft.';
const int = (value: number): Attribute => ({ type: 'int', value });

function modelOf(nodes: readonly Given[], weights: readonly string[]): Model {
  const initializers = new Map(
    weights.map((name): [string, TensorData] => [
      name,
      { type: 'float32', dims: [2, 2], data: new Float32Array(4) },
    ]),
  );
  return {
    graph: {
      name: 'model',
      nodes: nodes.map(([opType, inputs, output, attributes = {}], i) => ({
        name: `n${i}`,
        opType: opType.replace(microsoft, ''),
        domain: opType.startsWith(microsoft) ? 'com.microsoft' : '',
        inputs: inputs.split(' '),
        outputs: output.split(' '),
        attributes,
      })),
      inputs: [{ name: 'x', type: 'float32', shape: [2, 2] }],
      outputs: [{ name: 'y', type: 'float32', shape: [2, 2] }],
      initializers,
      valueInfo: new Map(),
    },
    opsets: new Map([
      ['', 17],
      ['com.microsoft', 1],
    ]),
    irVersion: 8,
    functions: [],
    metadata: new Map(),
    producer: 'test',
  };
}

const inspect = (nodes: readonly Given[], weights: readonly string[], requiresGrad?: string[]) =>
  inspectModel(nodeFiles, encodeModel(modelOf(nodes, weights)), { requiresGrad });

test('an op without a gradient is named where a gradient would go through it, and only there', async () => {
  const distancesOf = async (of: string) => {
    const nodes: readonly Given[] = [
      ['MatMul', 'x w', 'a'],
      ['com.microsoft.CDist', `${of} ${of}`, 'd'],
      ['Add', 'a d', 'y'],
    ];
    const { ops } = await inspect(nodes, ['w']);
    return ops.find(({ op }) => op === 'CDist');
  };
  expect(await distancesOf('x')).toMatchObject({ count: 1, gradient: 'not needed' });
  expect(await distancesOf('a')).toMatchObject({ count: 1, gradient: 'missing', refused: ['n1'] });
});

test('an integer edge that cuts the only way is named', async () => {
  const found = await inspect(
    [
      ['MatMul', 'x w', 'a'],
      ['Cast', 'a', 'i', { to: int(7) }],
      ['Cast', 'i', 'f', { to: int(1) }],
      ['Round', 'u', 'r'],
      ['Add', 'f r', 's'],
      ['Mul', 's v', 'y'],
    ],
    ['w', 'u', 'v'],
  );
  expect(found.cuts).toEqual([
    { parameter: 'w', nodes: [{ node: 'n1', op: 'Cast', why: 'integer' }] },
    { parameter: 'u', nodes: [{ node: 'n3', op: 'Round', why: 'flat' }] },
  ]);
  expect(found.unreachable).toEqual([]);
  expect(found.parameters.filter(({ trains }) => trains).map(({ name }) => name)).toEqual(['v']);
});

test('indices and shapes are no way for gradients; another way is', async () => {
  const found = await inspect(
    [
      ['TopK', 'w k', 't i', {}],
      ['Gather', 'v i', 'g'],
      ['Shape', 'u', 's'],
      ['Reshape', 'x s', 'q'],
      ['Greater', 'p q', 'm'],
      ['Where', 'm p q', 'o'],
      ['Add', 'g o', 'y'],
    ].map((node) => node as unknown as Given),
    ['w', 'v', 'u', 'p', 'k'],
    ['w', 'v', 'u', 'p'],
  );
  expect(found.unreachable).toEqual(['w', 'u']);
  expect(found.cuts.map(({ parameter, nodes }) => [parameter, nodes.map(({ op }) => op)])).toEqual([
    ['w', ['TopK']],
  ]);
});

test('a parameter that nothing uses is unreachable where it is asked for', async () => {
  const found = await inspect([['MatMul', 'x w', 'y']], ['w', 'u'], ['*']);
  expect(found.unreachable).toEqual(['u']);
  expect(found.cuts).toEqual([]);
});

test('ops of later opsets run that steps take apart', async () => {
  const nodes: readonly Given[] = [
    ['MatMul', 'x w', 'h'],
    ['Swish', 'h', 'y'],
  ];
  const later = { ...modelOf(nodes, ['w']), opsets: new Map([['', 24]]), irVersion: 10 };
  const { ops } = await inspectModel(nodeFiles, encodeModel(later));
  expect(ops.map(({ op, runs }) => [op, runs])).toEqual([
    ['MatMul', true],
    ['Swish', true],
  ]);
});
