import { expect, test } from 'vitest';
import { createBuilder } from '../graph/builder.js';
import { tensorOf } from '../graph/constants.js';
import { loadForms } from '../graph/decompose/index.js';
import type { Value } from '../graph/value.js';
import type { DataType } from '../onnx/ir.js';
import { differentiate, findGradientGaps } from './differentiate.js';
import { gradientRuleOf, isDifferentiable } from './rules/index.js';

function start() {
  const builder = createBuilder();
  const input = (name: string, shape: readonly number[], type: DataType = 'float32') =>
    builder.declare({ name, type, shape });
  const ops = () => builder.nodes.map((node) => node.opType);
  return { builder, op: builder.op, input, ops };
}

test('the gradient of a value is named after it, and carries its parameter', () => {
  const { builder, op, input } = start();
  const [x, w] = [input('x', [2, 3]), input('w', [3, 4])];
  const loss = op.sum(op.Sigmoid(op.MatMul(x, w)));
  const { seed, gradients } = differentiate(builder, loss, ['w']);
  expect(gradients.get('w')).toMatchObject({ name: 'w_grad', parameter: 'w', shape: [3, 4] });
  expect(seed.name).toBe(`${loss.name}_grad`);
  expect(builder.initializers.get(seed.name)).toMatchObject({ dims: [], data: Float32Array.of(1) });
});

test('what no wanted gradient needs is not in the graph', () => {
  const { builder, op, input, ops } = start();
  const [x, w] = [input('x', [1, 2, 5, 5]), input('w', [3, 2, 3, 3])];
  const loss = op.sum(op.Pow(op.Conv(x, w), 3));
  differentiate(builder, loss, ['w']);
  const grad = builder.nodes.find((node) => node.opType === 'ConvGrad');
  // Neither dX nor dB, and nothing of the exponent's gradient.
  expect(grad?.outputs).toEqual(['', 'w_grad']);
  expect(ops()).not.toContain('Log');
});

test('contributions to one value are summed', () => {
  const { builder, op, input, ops } = start();
  const w = input('w', [3]);
  const loss = op.sum(op.Add(op.Add(op.Sin(w), op.Exp(w)), op.Mul(w, w)));
  differentiate(builder, loss, ['w']);
  const sums = builder.nodes.filter((node) => node.opType === 'Sum');
  expect(sums).toHaveLength(1);
  expect(sums[0]).toMatchObject({ outputs: ['w_grad'] });
  expect(sums[0]?.inputs).toHaveLength(4);
  expect(ops().filter((name) => name === 'Cos')).toHaveLength(1);
});

test('forward nodes get the outputs that their gradients need, and keep those they have', () => {
  const { builder, op, input } = start();
  const [w, scale] = [input('w', [1, 2, 4, 4]), input('scale', [2])];
  const [y] = builder.emit('MaxPool', [w], { kernel_shape: { type: 'ints', value: [2, 2] } });
  const [node] = builder.takeSince(0);
  if (node === undefined || y === undefined) throw new Error('nothing was emitted');
  builder.add({ ...node, outputs: [y.name] }, [y]);
  const statistics = [
    op.constant(tensorOf('float32', [0, 0])),
    op.constant(tensorOf('float32', [1, 1])),
  ];
  const [z] = op.BatchNormalization(y, scale, scale, ...statistics, { training_mode: 1 });
  if (z === undefined) throw new Error('nothing was emitted');
  differentiate(builder, op.sum(z), ['w', 'scale']);
  expect(builder.nodes[0]).toMatchObject({
    opType: 'MaxPool',
    outputs: [y.name, `${y.name}_mask`],
  });
  expect(builder.value(`${y.name}_mask`)).toMatchObject({ type: 'int64', shape: y.shape });
  const norm = builder.nodes.find((n) => n.opType === 'BatchNormInternal');
  expect(norm?.domain).toBe('com.microsoft');
  expect(norm?.outputs).toHaveLength(5);
  expect(norm?.outputs[0]).toBe(z.name);
});

test.each([
  ['Gemm', [[2, 3], [3, 4], [5]]],
  ['PRelu', [[2, 3], [4]]],
] as const)('inputs of %s that do not broadcast are the fault of the model', (opType, shapes) => {
  const { builder, op, input } = start();
  const inputs = shapes.map((shape, i) => input(`x${i}`, shape));
  const attempt = () => {
    const [y] = builder.emit(opType, inputs);
    if (y === undefined) throw new Error('nothing was emitted');
    return differentiate(builder, op.sum(y), ['x0', `x${shapes.length - 1}`]);
  };
  expect(attempt).toThrow(expect.objectContaining({ code: 'INVALID_MODEL' }));
});

test('an op without a gradient is refused before anything is written', () => {
  const { builder, input } = start();
  const w = input('w', [3]);
  const types = [{ type: 'float32', shape: [] }] as const;
  const [loss] = builder.emit(
    'CDist',
    [w, w],
    {},
    { types, name: 'distances', domain: 'com.microsoft' },
  );
  if (loss === undefined) throw new Error('nothing was emitted');
  const before = builder.nodes.length;
  expect(() => differentiate(builder, loss, ['w'])).toThrow(/CDist node distances/);
  expect(builder.nodes).toHaveLength(before);
  const gaps = findGradientGaps(builder, loss.name, ['w']);
  expect(gaps.withoutRule.map((node) => node.opType)).toEqual(['CDist']);
});

test('a namesake from another domain is not taken for the op of ONNX', () => {
  const { builder, input } = start();
  const w = input('w', []);
  const [loss] = builder.emit('Relu', [w], {}, { types: [w], domain: 'custom' });
  if (loss === undefined) throw new Error('nothing was emitted');
  expect(() => differentiate(builder, loss, ['w'])).toThrow(/No gradient is known for Relu/);
});

test('a parameter that reaches the loss through a nested graph is not forgotten', () => {
  const { builder, op, input } = start();
  const [x, w] = [input('x', []), input('w', [])];
  const branch = (name: string) => ({
    type: 'graph' as const,
    value: {
      name,
      nodes: [{ name, opType: 'Exp', domain: '', inputs: ['w'], outputs: [name], attributes: {} }],
      inputs: [],
      outputs: [{ name, type: 'float32' as const }],
      initializers: new Map(),
      valueInfo: new Map(),
    },
  });
  const [mapped] = builder.emit('SequenceMap', [x], { body: branch('a') }, { types: [w] });
  if (mapped === undefined) throw new Error('nothing was emitted');
  expect(() => differentiate(builder, op.Add(mapped, w), ['w'])).toThrow(
    /No gradient.*SequenceMap/,
  );
});

test('a Loop whose end only its run tells is refused', async () => {
  const { builder, op, input } = start();
  const [turns, w] = [input('turns', [], 'int64'), input('w', [])];
  const body = {
    name: 'body',
    nodes: [],
    inputs: [{ name: 'i' }, { name: 'on' }, { name: 'h' }],
    outputs: [{ name: 'on' }, { name: 'h' }],
    initializers: new Map(),
    valueInfo: new Map(),
  };
  const attributes = { body: { type: 'graph' as const, value: body } };
  const [last] = builder.emit('Loop', [turns, null, w], attributes, { types: [w] });
  if (last === undefined) throw new Error('nothing was emitted');
  await loadForms(builder.nodes);
  expect(() => differentiate(builder, op.Add(last, w), ['w'])).toThrow(/trip count/);
});

test('a parameter that the loss does not depend on is refused', () => {
  const { builder, op, input } = start();
  const [w, other] = [input('w', [3]), input('other', [3])];
  const loss = op.sum(op.Mul(w, op.Floor(other)));
  expect(() => differentiate(builder, loss, ['w', 'other'])).toThrow(/does not depend on other/);
});

test('a gradient that would have to flow through a running statistic is refused', () => {
  const { builder, op, input } = start();
  const x = input('w', [2, 3]);
  const channels = ['scale', 'bias', 'mean', 'variance'].map((name) => input(name, [3]));
  const [y, running] = op.BatchNormalization(x, ...channels, { training_mode: 1 });
  const loss = op.Add(op.sum(y as Value), op.sum(running as Value));
  expect(() => differentiate(builder, loss, ['w'])).toThrow(/output 1 of BatchNormInternal/);
});

test('no op is both differentiable and declared not to be', () => {
  for (const opType of ['Round', 'Shape', 'Equal', 'OneHot', 'ConstantOfShape']) {
    expect(isDifferentiable(opType)).toBe(false);
    expect(gradientRuleOf({ opType, domain: '' })).toBeUndefined();
  }
});

test('rounding has no gradient, but an estimate that goes straight through where it is asked for', () => {
  const { builder, op, input } = start();
  const w = input('w', [3]);
  const loss = op.sum(op.Mul(op.Sign(op.Round(w)), w));
  const plain = differentiate(builder, loss, ['w']);
  const [direct] = [...plain.gradients.values()];
  expect(builder.producer(direct as Value)?.opType).toBe('Mul');
  const both = differentiate(builder, loss, ['w'], { straightThrough: new Set(['Sign', 'Round']) });
  const [estimated] = [...both.gradients.values()];
  const sum = builder.producer(estimated as Value);
  expect(sum?.opType).toBe('Sum');
  expect(sum?.inputs.map((name) => builder.producer(name)?.opType).sort()).toEqual([
    'Mul',
    'Where',
  ]);
});

test('what only rounding joins to the loss trains by the estimate alone', () => {
  const { builder, op, input } = start();
  const loss = op.sum(op.Floor(input('w', [3])));
  expect(() => differentiate(builder, loss, ['w'])).toThrow(/does not depend on w/);
  const { gradients } = differentiate(builder, loss, ['w'], {
    straightThrough: new Set(['Floor']),
  });
  expect(gradients.get('w')?.shape).toEqual([3]);
});

test('indices that are counted along columns, and used, have no gradient', () => {
  const { builder, op, input } = start();
  const x = input('w', [1, 1, 4, 4]);
  const [y, indices] = op.MaxPool(x, {
    kernel_shape: [2, 2],
    storage_order: 1,
  }) as readonly Value[];
  const loss = op.sum(op.Mul(y, op.cast(indices as Value, 'float32')));
  expect(() => differentiate(builder, loss, ['w'])).toThrow(
    /counted along rows.*storage_order is 1/s,
  );
});
