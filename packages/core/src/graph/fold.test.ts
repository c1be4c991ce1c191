import { expect, test } from 'vitest';
import { createBuilder } from './builder.js';
import { tensorOf } from './constants.js';

const int64 = (values: readonly number[], dims?: readonly number[]) =>
  tensorOf('int64', values, dims);

test('leaves what data comes into', () => {
  const { op, constant, declare } = createBuilder();
  const x = declare({ name: 'x', type: 'int64', shape: [2] });
  expect(constant(op.Add(x, 1))).toBeUndefined();
  expect(constant(op.Shape(op.Add(x, 1)))?.data).toEqual(BigInt64Array.of(2n));
});

test('leaves whole numbers that wrap around to ONNX Runtime', () => {
  const { op, constant } = createBuilder();
  const large = op.constant(int64([Number.MAX_SAFE_INTEGER]));
  expect(constant(op.Add(large, large))).toBeUndefined();
  expect(constant(op.Div(large, op.constant(int64([0]))))).toBeUndefined();
});

test('leaves ops of other domains, whatever their name', () => {
  const { op, emit, constant } = createBuilder();
  const inputs = [op.ints([1]), op.ints([2])];
  const [sum] = emit('Add', inputs, {}, { domain: 'my.ops' });
  expect(constant(sum ?? '')).toBeUndefined();
});

test('knows which elements of a constant are not zero', () => {
  const { op, emit, constant } = createBuilder();
  const data = op.constant(int64([0, 4, 5, 0, 0, 6], [2, 3]));
  const [found] = emit('NonZero', [data], {}, { types: [{ type: 'int64', shape: [2, 3] }] });
  expect(constant(found ?? '')).toEqual(int64([0, 0, 1, 1, 2, 2], [2, 3]));
});

test('folds graphs that are deeper than the stack', () => {
  const { op, constant } = createBuilder();
  let value = op.ints([5]);
  for (let i = 0; i < 20_000; i++) value = op.Neg(value);
  expect(constant(value)?.data).toEqual(BigInt64Array.of(5n));
});
