import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import type { Attribute, Model, Node, TensorData, ValueInfo } from '../onnx/ir.js';
import { encodeModel } from '../onnx/model.js';
import { tensorOf } from './constants.js';
import { upgradeModel } from './upgrade.js';
import { type Attributes, elementCount, toAttributes } from './value.js';

interface Case {
  readonly opset: number;
  readonly op: string;
  /** Shapes of float inputs, or constants. */
  readonly inputs: readonly (readonly number[] | TensorData | null)[];
  readonly attributes?: Attributes;
  readonly outputs?: number;
  readonly domain?: string;
}

const isShape = (input: Case['inputs'][number]): input is readonly number[] => Array.isArray(input);
const nodeOf = (op: string, inputs: string[], outputs: string[], attributes: Attributes): Node => ({
  name: op,
  opType: op,
  domain: '',
  inputs,
  outputs,
  attributes: Object.fromEntries(
    Object.entries(toAttributes(attributes)).map(([name, attribute]) => [
      name,
      ['scales', 'value'].includes(name) ? asFloat(attribute) : attribute,
    ]),
  ),
});

function asFloat(attribute: Attribute): Attribute {
  if (attribute.type === 'ints') return { ...attribute, type: 'floats' };
  return attribute.type === 'int' ? { ...attribute, type: 'float' } : attribute;
}

function modelOf({ opset, op, inputs, attributes = {}, outputs = 1 }: Case): Model {
  const names = inputs.map((input, i) => (input === null ? '' : `x${i}`));
  const results = Array.from({ length: outputs }, (_, i) => `y${i}`);
  return {
    graph: {
      name: 'upgrade',
      nodes: [nodeOf(op, names, results, attributes)],
      inputs: inputs.flatMap((input, i): ValueInfo[] =>
        isShape(input) ? [{ name: `x${i}`, type: 'float32', shape: input }] : [],
      ),
      outputs: results.map((name, i) => ({
        name,
        type: op === 'TopK' && i === 1 ? ('int64' as const) : ('float32' as const),
      })),
      initializers: new Map(
        inputs.flatMap((input, i) =>
          input !== null && !isShape(input) ? [[`x${i}`, input] as const] : [],
        ),
      ),
      valueInfo: new Map(),
    },
    opsets: new Map([['', opset]]),
    irVersion: 8,
    functions: [],
    metadata: new Map(),
    producer: 'test',
  };
}

async function run(model: Model): Promise<Record<string, unknown>> {
  const session = await InferenceSession.create(encodeModel(model), { logSeverityLevel: 4 });
  const feeds = Object.fromEntries(
    model.graph.inputs.map(({ name, shape }, seed) => {
      const dims = (shape ?? []) as readonly number[];
      const data = Float32Array.from({ length: elementCount(dims) }, (_, i) =>
        Math.sin((i + 1) * (seed + 1.7)),
      );
      return [name, new Tensor('float32', data, dims)];
    }),
  );
  const results = await session.run(feeds);
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { dims, data }]) => [
      name,
      { dims: [...dims], data: Array.from(data as ArrayLike<number | bigint>, Number) },
    ]),
  );
}

const floats = (...values: readonly number[]) => tensorOf('float32', values);
const ints = (...values: readonly number[]) => tensorOf('int64', values);

const at = (
  opset: number,
  op: string,
  inputs: Case['inputs'],
  attributes: Attributes = {},
  outputs = 1,
) => ({ opset, op, inputs, attributes, outputs }) satisfies Case;

const cases: readonly Case[] = [
  at(11, 'Squeeze', [[1, 3, 1]], { axes: [0, 2] }),
  at(12, 'Squeeze', [[1, 3, 1]]),
  at(12, 'Unsqueeze', [[3, 2]], { axes: [0, 3] }),
  at(12, 'ReduceSum', [[2, 3, 4]], { axes: [1], keepdims: 0 }),
  at(12, 'ReduceSum', [[2, 3, 4]]),
  at(7, 'ReduceMean', [[2, 3, 4]], { axes: [0, 2] }),
  ...['L1', 'L2', 'SumSquare', 'LogSumExp', 'Max', 'Min', 'Prod', 'Mean'].map((name) =>
    at(17, `Reduce${name}`, [[2, 3, 4]], { axes: [-1], keepdims: 0 }),
  ),
  at(11, 'Split', [[6, 2]], { split: [1, 2, 3] }, 3),
  at(11, 'Split', [[6, 2]], {}, 3),
  at(13, 'Split', [[6, 2], ints(2, 4)], {}, 2),
  at(17, 'Split', [[6, 2]], { axis: 1 }, 2),
  ...['Softmax', 'LogSoftmax', 'Hardmax'].flatMap((op) => [
    at(9, op, [[2, 3, 4]]),
    at(12, op, [[2, 3, 4]], { axis: 2 }),
    at(11, op, [[2, 3, 4]], { axis: -1 }),
    at(11, op, [[2, 3, 4]], { axis: -2 }),
    at(11, op, [[2, 3, 4]], { axis: 0 }),
    at(13, op, [[2, 3, 4]], { axis: 0 }),
  ]),
  at(7, 'Clip', [[3, 4]], { min: -0.5, max: 0.25 }),
  at(10, 'Clip', [[3, 4]], { max: 0.25 }),
  at(10, 'Clip', [[3, 4]]),
  at(10, 'Pad', [[3, 4]], { pads: [1, 0, 2, 1], value: 0.5 }),
  at(9, 'Pad', [[3, 4]], { pads: [1, 1, 2, 1], mode: 'reflect' }),
  at(9, 'Slice', [[3, 4]], { starts: [1, 0], ends: [3, -1] }),
  at(9, 'Slice', [[3, 4]], { starts: [1], ends: [1000], axes: [1] }),
  at(9, 'TopK', [[3, 4]], { k: 2 }, 2),
  at(9, 'Dropout', [[3, 4]], { ratio: 0.7 }),
  at(7, 'Dropout', [[3, 4]]),
  at(9, 'BatchNormalization', [
    [2, 3, 4],
    floats(1, 2, 3),
    floats(0, 1, 2),
    floats(0.1, 0.2, 0.3),
    floats(1, 2, 1),
  ]),
  at(8, 'Upsample', [[1, 2, 3, 4]], { scales: [1, 1, 2, 3], mode: 'nearest' }),
  at(9, 'Upsample', [[1, 2, 3, 4], floats(1, 1, 2, 2)], { mode: 'linear' }),
  at(10, 'Resize', [[1, 2, 3, 4], floats(1, 1, 2, 2)], { mode: 'linear' }),
  at(10, 'Resize', [[1, 2, 3, 4], floats(1, 1, 2, 3)]),
  at(10, 'Resize', [[1, 2, 6, 4], floats(1, 1, 0.5, 0.6)]),
  at(11, 'Resize', [[1, 2, 3, 4], floats(), floats(), ints(1, 2, 6, 6)], { mode: 'linear' }),
  at(11, 'Resize', [[1, 2, 3, 4], floats(), floats(1, 1, 2, 2)], { mode: 'cubic' }),
  ...['bilinear', 'nearest', 'bicubic'].map((mode) =>
    at(
      16,
      'GridSample',
      [
        [1, 2, 4, 4],
        [1, 3, 3, 2],
      ],
      { mode },
    ),
  ),
  at(10, 'Scatter', [[3, 3], tensorOf('int64', [0, 2], [1, 2]), [1, 2]]),
  at(10, 'RoiAlign', [[1, 2, 6, 6], tensorOf('float32', [0, 0, 4, 3], [1, 4]), ints(0)], {
    output_height: 2,
    output_width: 2,
  }),
  at(16, 'LayerNormalization', [[2, 3], floats(1, 2, 3), floats(0, 1, 2)], { epsilon: 0.01 }),
  at(23, 'RMSNormalization', [[2, 3], floats(1, 2, 3)], { epsilon: 0.01 }),
  at(22, 'MaxPool', [[1, 2, 4, 4]], { kernel_shape: [2, 2] }),
  at(22, 'AveragePool', [[1, 2, 4, 4]], { kernel_shape: [2, 2] }),
  at(7, 'MaxPool', [[1, 2, 4, 4]], { kernel_shape: [2, 2] }),
  at(7, 'Gemm', [[2, 3], [3, 4], [4]]),
  at(8, 'Flatten', [[2, 3, 4]], { axis: 2 }),
];

describe('a model of an older opset gives the same numbers at opset 21', () => {
  test.each(
    cases.map((checked) => ({
      checked,
      name: `${checked.op} of opset ${checked.opset} ${JSON.stringify(checked.attributes)}`,
    })),
  )('$name', async ({ checked }) => {
    const model = modelOf(checked);
    const upgraded = upgradeModel(model);
    expect(upgraded.opsets.get('')).toBe(21);
    expect(await run(upgraded)).toEqual(await run(model));
  });
});

test('scale and bias of a group norm are repeated for the channels of each group', async () => {
  const old = modelOf(
    at(18, 'GroupNormalization', [[2, 4, 3], floats(1, 2), floats(0.5, -1)], { num_groups: 2 }),
  );
  const written = modelOf(
    at(21, 'GroupNormalization', [[2, 4, 3], floats(1, 1, 2, 2), floats(0.5, 0.5, -1, -1)], {
      num_groups: 2,
    }),
  );
  expect(await run(upgradeModel(old))).toEqual(await run(written));
});

test('batch normalisation with several outputs is in training', () => {
  const inputs = [[2, 3, 4], floats(1, 2, 3), floats(0, 1, 2), floats(0, 0, 0), floats(1, 1, 1)];
  const model = modelOf(at(9, 'BatchNormalization', inputs, { momentum: 0.8 }, 5));
  const outputs = model.graph.outputs.slice(0, 3);
  const [node] = upgradeModel({ ...model, graph: { ...model.graph, outputs } }).graph.nodes;
  expect(node?.outputs).toEqual(['y0', 'y1', 'y2']);
  expect(node?.attributes).toMatchObject({ training_mode: { value: 1 }, momentum: { value: 0.8 } });
  expect(() => upgradeModel(model)).toThrow(/BatchNormalization of opset 9.*saved statistics/);
});

test('nested graphs are rewritten too, with names of their own', async () => {
  const branch = (name: string, attributes: Attributes) => ({
    ...modelOf(at(11, 'Unsqueeze', [], attributes)).graph,
    name,
    nodes: [nodeOf('Unsqueeze', ['x0'], [name], attributes)],
    outputs: [{ name, type: 'float32' as const }],
  });
  const outer = modelOf(at(11, 'If', [[2, 3]]));
  const node: Node = {
    ...nodeOf('If', ['yes'], ['y0'], {}),
    attributes: {
      then_branch: { type: 'graph', value: branch('then', { axes: [0] }) },
      else_branch: { type: 'graph', value: branch('else', { axes: [1] }) },
    },
  };
  const model: Model = {
    ...outer,
    graph: {
      ...outer.graph,
      nodes: [node],
      initializers: new Map([['yes', tensorOf('bool', [1], [])]]),
    },
  };
  expect(await run(upgradeModel(model))).toEqual(await run(model));
});

test('bounds take the type of what they bound', () => {
  const model = modelOf(at(10, 'Clip', [[3, 4]], { min: 0 }));
  const half = {
    ...model,
    graph: { ...model.graph, inputs: [{ name: 'x0', type: 'float16' as const, shape: [3, 4] }] },
  };
  const ops = upgradeModel(half).graph.nodes.map((node) => node.opType);
  expect(ops).toEqual(['Constant', 'CastLike', 'Clip']);
});

test('before IR 4, initializers are no inputs', () => {
  const model = modelOf(at(9, 'Upsample', [[1, 2, 3, 4], floats(1, 1, 2, 2)]));
  const inputs = [...model.graph.inputs, { name: 'x1', type: 'float32' as const, shape: [4] }];
  const old = { ...model, irVersion: 3, graph: { ...model.graph, inputs } };
  expect(upgradeModel(old).graph.inputs.map(({ name }) => name)).toEqual(['x0']);
});

test.each([
  [at(6, 'Add', [[2], [2]]), /Opset 6 is not supported/],
  [at(40, 'Add', [[2], [2]]), /Opset 40 is not supported/],
  [at(8, 'Scan', [[2], [2]]), /Scan of opset 8.*node Scan/s],
  [at(24, 'TensorScatter', [[2], [2]]), /TensorScatter of opset 24.*node TensorScatter/s],
  [at(8, 'BatchNormalization', [[2], [2], [2], [2], [2]], { spatial: 0 }), /spatial = 0/],
])('%j is refused', (checked, message) => {
  expect(() => upgradeModel(modelOf(checked))).toThrow(message);
});
