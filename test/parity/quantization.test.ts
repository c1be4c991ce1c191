import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { toAttributes } from '../../packages/core/src/graph/value.js';
import { mse } from '../../packages/core/src/losses/index.js';
import { generateArtifacts, TrainingSession } from '../../packages/core/src/node.js';
import type { DataType, Model, Node, TensorData } from '../../packages/core/src/onnx/ir.js';
import { decodeModel, encodeModel } from '../../packages/core/src/onnx/model.js';
import { sgd } from '../../packages/core/src/optimizers/sgd.js';
import { relativeDistance } from '../support/check-gradients.js';
import { generator } from '../support/compare.js';
import { modelWriter } from '../support/forward-models.js';
import { modelGradients } from '../support/model-gradients.js';
import { below, golden } from './golden.js';

const arrays = golden('quantization.npz');
const inputs = below(arrays, 'inputs');
const given = (name: string) => inputs.get(name) as TensorData;

interface Case {
  readonly type: DataType;
  readonly scale: number | TensorData;
  readonly zero: readonly number[];
  readonly axis?: number;
  /** Bounds of a Clip between the two, as PyTorch and Brevitas write ranges that are narrower than the type. */
  readonly clip?: readonly [number, number];
  /** Ops between the two that change the layout, and what undoes them. */
  readonly turned?: boolean;
}

const zeros = (count: number) => Array<number>(count).fill(0);

const cases: readonly (readonly [golden: string, note: string, Case])[] = [
  ['uint8', '', { type: 'uint8', scale: 0.015625, zero: [101] }],
  ['int8', '', { type: 'int8', scale: 0.02, zero: [-3] }],
  ['uint4', '', { type: 'uint4', scale: 0.25, zero: [7] }],
  ['uint4', 'clipped', { type: 'uint8', scale: 0.25, zero: [7], clip: [0, 15] }],
  ['int4', '', { type: 'int4', scale: 0.3, zero: [0] }],
  ['int4', 'clipped', { type: 'int8', scale: 0.3, zero: [0], clip: [-8, 7] }],
  ['seven-bits', '', { type: 'uint8', scale: 0.03, zero: [64], clip: [0, 127] }],
  ['rows', '', { type: 'int8', scale: given('rows'), zero: zeros(6), axis: 0 }],
  ['columns', '', { type: 'uint8', scale: given('columns'), zero: [100, 128, 5, 250, 130] }],
  ['uint8', 'turned', { type: 'uint8', scale: 0.015625, zero: [101], turned: true }],
];

function pair({ type, scale, zero, axis = 1, clip, turned }: Case): Model {
  const { add, model } = modelWriter();
  const scales = typeof scale === 'number' ? tensorOf('float32', [scale], []) : scale;
  const [by, attributes] = [['s', 'z'], { axis }];
  const quantized = add('QuantizeLinear', ['x', ...by], attributes);
  const bounded = clip ? add('Clip', [quantized, 'low', 'high']) : quantized;
  const moved = turned ? add('Transpose', [bounded], { perm: [1, 0] }) : bounded;
  const back = add('DequantizeLinear', [moved, ...by], attributes, turned ? 'turned' : 'logits');
  if (turned) add('Transpose', [back], { perm: [1, 0] }, 'logits');
  const made = model([...given('x').dims], [...given('x').dims], 'logits');
  const initializers = new Map([
    ['s', scales],
    ['z', tensorOf(type, zero, scales.dims)],
    ...(clip ?? []).map(
      (bound, i) => [['low', 'high'][i] ?? '', tensorOf(type, [bound], [])] as const,
    ),
  ]);
  return {
    ...made,
    opsets: new Map([['', 21]]),
    irVersion: 10,
    graph: { ...made.graph, initializers },
  };
}

const data = new Map([
  ['x', given('x')],
  ['target', given('target')],
]);

test.each(cases)('the gradient of a pair of %s %s is that of PyTorch', async (name, _, made) => {
  const found = await modelGradients(pair(made), data, mse(), ['x']);
  const wanted = below(arrays, name);
  expect(found.loss).toBeCloseTo(Number(wanted.get('loss')?.data[0]), 5);
  const gradient = found.gradients.get('x') as TensorData;
  const exact = wanted.get('gradient') as TensorData;
  expect(Array.from(exact.data as Float32Array).filter((x) => x === 0).length).toBeGreaterThan(0);
  expect(relativeDistance(gradient, exact)).toBeLessThan(2e-6);
});

test('a scale that trains learns its step size (Esser et al. 2020)', async () => {
  const [step, zero] = [Math.fround(0.02), -3];
  const scale = tensorOf('float32', [step], [1]);
  const found = await modelGradients(pair({ type: 'int8', scale, zero: [zero] }), data, mse(), [
    'x',
  ]);
  const [x, target] = [given('x'), given('target')].map((tensor) =>
    Array.from(tensor.data as Float32Array),
  ) as [number[], number[]];
  const wanted = x.reduce((sum, value, i) => {
    const level = Math.round(value / step) + zero;
    const kept = Math.min(127, Math.max(-128, level));
    const dy = (2 * ((kept - zero) * step - (target[i] ?? 0))) / x.length;
    return sum + dy * (kept - zero - (kept === level ? value / step : 0));
  }, 0);
  expect(Number(found.gradients.get('s')?.data[0]) / wanted).toBeCloseTo(1, 5);
});

/** Two layers whose weights are quantized by rows, and their activations as a whole. */
function aware(activations: 'static' | 'dynamic'): Model {
  const { weight, filled, add, model } = modelWriter();
  const around = (x: string, by: readonly string[], attributes = {}) =>
    add('DequantizeLinear', [add('QuantizeLinear', [x, ...by], attributes), ...by], attributes);
  const range = (x: string) => {
    if (activations === 'static') return around(x, ['step', 'middle']);
    const made = ['q', 's', 'z'].map((part) => `${x}/${part}`);
    dynamic.push({ x, made });
    return add('DequantizeLinear', made);
  };
  const dynamic: { readonly x: string; readonly made: readonly string[] }[] = [];
  const rows = (name: string, dims: readonly number[]) =>
    around(weight(name, dims), [filled(`${name}.s`, [dims[0] ?? 1], 0.02), `${name}.z`], {
      axis: 0,
    });
  const bias = weight('b1', [7]);
  const hidden = add('Relu', [add('Gemm', [range('x'), rows('w1', [7, 5]), bias], { transB: 1 })]);
  add('Gemm', [range(hidden), rows('w2', [3, 7]), weight('b2', [3])], { transB: 1 }, 'y');
  const { graph, ...made } = model(['batch', 5], ['batch', 3]);
  const initializers = new Map([
    ...graph.initializers,
    ['step', tensorOf('float32', [0.03], [])],
    ['middle', tensorOf('uint8', [128], [])],
    ['w1.z', tensorOf('int8', zeros(7))],
    ['w2.z', tensorOf('int8', zeros(3))],
  ]);
  const nodes = [
    ...dynamic.map(({ x, made: outputs }) => ({
      ...{ name: `${x}/range`, opType: 'DynamicQuantizeLinear', domain: '', attributes: {} },
      ...{ inputs: [x], outputs },
    })),
    ...graph.nodes,
  ];
  return { ...made, graph: { ...graph, nodes, initializers } };
}

const random = generator(5);
const toOrt = ({ data: numbers, dims }: TensorData) =>
  new Tensor('float32', numbers as Float32Array, dims);
const batch = { x: toOrt(random(32, 5)), target: toOrt(random(32, 3)) };

test.each(['static', 'dynamic'] as const)(
  'a model that is aware of quantization trains, with %s ranges, and is exported as it came',
  async (activations) => {
    const bytes = encodeModel(aware(activations));
    const options = { loss: 'mse', optimizer: sgd(), learningRate: 0.1 };
    const session = await TrainingSession.create(bytes, options);
    expect([...session.trainableNames].sort()).toEqual(['b1', 'b2', 'w1', 'w2']);
    const losses: number[] = [];
    for (let i = 0; i < 40; i++) losses.push((await session.step(batch)).loss);
    expect(losses.at(-1)).toBeLessThan(0.8 * (losses[0] ?? 0));
    const evaluated = await session.runEvalStep(batch);
    const loss = Number(evaluated.loss?.data[0]);
    const exported = await session.exportModel();
    await session.release();
    const plain = await InferenceSession.create(exported);
    const y = (await plain.run({ x: batch.x })).y?.data as Float32Array;
    const target = batch.target.data as Float32Array;
    const squares = y.reduce((sum, value, i) => sum + (value - (target[i] ?? 0)) ** 2, 0);
    await plain.release();
    expect(squares / y.length).toBeCloseTo(loss, 5);
  },
);

test('scales train that requiresGrad names', async () => {
  const options = { loss: 'mse', optimizer: sgd(), learningRate: 1e-5 };
  const requiresGrad = ['step', 'w1', 'w1.s'];
  const bytes = encodeModel(aware('static'));
  const session = await TrainingSession.create(bytes, { ...options, requiresGrad });
  await session.step(batch);
  const step = Number((await session.getParameter('step')).data[0]);
  const rowScales = Array.from((await session.getParameter('w1.s')).data as Float32Array);
  await session.release();
  expect(step).not.toBe(Math.fround(0.03));
  expect(step).toBeCloseTo(0.03, 2);
  expect(rowScales.every((scale) => scale !== Math.fround(0.02))).toBe(true);
});

/** One product with a weight that goes through other ops first. */
function broken(between: (add: ReturnType<typeof modelWriter>['add']) => string): Model {
  const { weight, add, model } = modelWriter();
  weight('w', [5, 3]);
  add('MatMul', ['x', between(add)], {}, 'y');
  const { graph, ...made } = model(['batch', 5], ['batch', 3]);
  const initializers = new Map([
    ...graph.initializers,
    ['s', tensorOf('float32', [0.02], [])],
    ['rows', tensorOf('float32', [0.02, 0.02, 0.03, 0.02, 0.02])],
  ]);
  return { ...made, graph: { ...graph, initializers } };
}

test.each([
  [
    'by other scales',
    broken((add) =>
      add('DequantizeLinear', [add('QuantizeLinear', ['w', 's']), 'rows'], { axis: 0 }),
    ),
    /scales are not those of/,
  ],
  [
    'as numbers',
    broken((add) => add('Cast', [add('QuantizeLinear', ['w', 's'])], { to: 1 })),
    /does not depend on w/,
  ],
])('quantized numbers that are read %s are refused', async (_, made, message) => {
  const options = { loss: 'mse', optimizer: sgd(), learningRate: 0.1 };
  await expect(TrainingSession.create(encodeModel(made), options)).rejects.toThrow(message);
});

test('artifacts of such a model are made of ops that ONNX Runtime has', async () => {
  const { trainModel } = await generateArtifacts(encodeModel(aware('static')), { loss: 'mse' });
  const { nodes, outputs } = decodeModel(trainModel).graph;
  expect(nodes.filter(({ opType }) => opType === 'QuantizeLinear')).toHaveLength(4);
  expect(nodes.every(({ domain }) => domain !== 'gradware')).toBe(true);
  expect(outputs.length).toBeGreaterThan(4);
});

test('what follows an embedding of quantized blocks trains', async () => {
  const [words, width] = [6, 32];
  const random = generator(3);
  const bytes = Array.from({ length: words * width }, (_, i) => (i * 37 + 11) % 256);
  const gather: Node = {
    ...{ name: 'embed', opType: 'GatherBlockQuantized', domain: 'com.microsoft' },
    ...{ inputs: ['table', 'ids', 'scales'], outputs: ['found'] },
    attributes: toAttributes({ bits: 8, block_size: 16, gather_axis: 0, quantize_axis: 1 }),
  };
  const { add, model } = modelWriter();
  add('MatMul', ['found', 'w'], {}, 'logits');
  const made = model([], [2, 3, 4], 'logits');
  const { graph } = made;
  const file = encodeModel({
    ...made,
    opsets: new Map([...made.opsets, ['com.microsoft', 1]]),
    graph: {
      ...graph,
      nodes: [gather, ...graph.nodes],
      inputs: [{ name: 'ids', type: 'int64', shape: [2, 3] }],
      initializers: new Map([
        ['table', tensorOf('uint8', bytes, [words, width])],
        ['scales', random(words, 2)],
        ['w', random(width, 4)],
      ]),
    },
  });
  const session = await TrainingSession.create(file, { loss: 'mse', learningRate: 0.01 });
  expect(session.trainableNames).toEqual(['w']);
  const ids = new Tensor('int64', BigInt64Array.of(0n, 5n, 2n, 1n, 1n, 4n), [2, 3]);
  const target = new Tensor('float32', new Float32Array(24), [2, 3, 4]);
  const plain = await InferenceSession.create(file);
  const { logits } = await plain.run({ ids });
  const { losses } = await session.steps(Array(4).fill({ ids, target }));
  const squares = Array.from(logits?.data as Float32Array, (y) => y ** 2);
  const mean = squares.reduce((sum, square) => sum + square, 0) / squares.length;
  expect((losses[0] ?? 0) / mean).toBeCloseTo(1, 5);
  expect(losses[3]).toBeLessThan(losses[0] as number);
  await session.release();
});
