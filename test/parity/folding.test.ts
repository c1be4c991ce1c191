import { expect, test } from 'vitest';
import { createBuilder } from '../../packages/core/src/graph/builder.js';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { domainOf } from '../../packages/core/src/graph/dialect.js';
import { type Attributes, toAttributes } from '../../packages/core/src/graph/value.js';
import type { TensorData } from '../../packages/core/src/onnx/ir.js';
import { int64 } from '../support/compare.js';
import { run } from '../support/lowering.js';
import { runOracleNode } from '../support/ort-training.js';

// What is known of shapes before anything runs has to be what ONNX Runtime computes.

type Row = readonly [
  op: string,
  inputs: readonly (TensorData | undefined)[],
  attributes?: Attributes,
];

const float = (values: readonly number[], dims?: readonly number[]) =>
  tensorOf('float32', values, dims);
const bool = (...values: readonly number[]) => tensorOf('bool', values);
const count = (n: number) => Array.from({ length: n }, (_, i) => i - 3);

const row = int64([5, -2, 7]);
const column = int64([3, -4], [2, 1]);
const box = int64(count(24), [2, 3, 4]);
const halves = float([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, -3.2]);
const some = [bool(1, 0, 1), bool(1, 1, 0)];

/** Its numbers, with -0 as 0. */
const plain = (tensor: TensorData | undefined) =>
  Array.from(tensor?.data as Float32Array, (value) => Number(value) + 0);

const rows: readonly Row[] = [
  ...['Add', 'Sub', 'Mul', 'Div', 'Mod', 'Max', 'Min', 'Equal', 'Greater', 'GreaterOrEqual'].map(
    (op): Row => [op, [row, column]],
  ),
  ...['Less', 'LessOrEqual'].map((op): Row => [op, [row, column]]),
  ['Mod', [row, column], { fmod: 1 }],
  ['Div', [float([7, -7]), float([2])]],
  ['Sum', [float([1, 2]), float([10], [1, 1]), float([100, 200])]],
  ['Max', [row, int64([4]), int64([6, -9, 1])]],
  ['Pow', [row, int64([2])]],
  ...['And', 'Or', 'Xor'].map((op): Row => [op, some]),
  ['Not', [bool(1, 0)]],
  ['Where', [bool(1, 0, 1), column, int64([9])]],
  ...['Neg', 'Abs', 'Sign', 'Identity'].map((op): Row => [op, [row]]),
  ...['Ceil', 'Floor', 'Round'].map((op): Row => [op, [halves]]),
  ['Sqrt', [float([4, 2])]],
  ['Cast', [halves], { to: 7 }],
  ['Cast', [float([0, 0.5, -2])], { to: 9 }],
  ['CastLike', [halves, row]],
  ['CastLike', [float([0, 0.5, -2]), bool(1)]],
  ['Concat', [box, int64(count(6), [2, 3, 1])], { axis: -1 }],
  ['Concat', [row, int64([1])], { axis: 0 }],
  ['ConcatTraining', [box, int64(count(8), [2, 1, 4])], { axis: 1 }],
  ['ConcatTraining', [row, int64([1])], { axis: -1 }],
  ['Split', [box, int64([1, 0, 3])], { axis: 2 }],
  ['Split', [box], { axis: 1, num_outputs: 2 }],
  ['SplitTraining', [box, int64([1, 2])], { axis: 1 }],
  ['Slice', [row, int64([1]), int64([9])]],
  ['Slice', [box, int64([-1, 0]), int64([-9, 3]), int64([2, 1]), int64([-2, 2])]],
  ['Slice', [box, int64([9]), int64([Number.MIN_SAFE_INTEGER]), int64([-2]), int64([-1])]],
  ['Slice', [box, int64([-9, 1]), int64([2, 2])]],
  ['Gather', [row, int64([2, -1, 0])]],
  ['Gather', [box, int64([1, -2, 0, 0], [2, 2])], { axis: 1 }],
  ['Gather', [row, int64([1], [])]],
  ['ScatterND', [row, int64([[2], [-3]].flat(), [2, 1]), int64([10, 20])]],
  ['ScatterND', [int64(count(6), [2, 3]), int64([1], [1, 1]), int64([7, 8, 9], [1, 3])]],
  ['Transpose', [box], { perm: [2, 0, 1] }],
  ['Transpose', [int64(count(6), [2, 3])]],
  ['Tile', [int64(count(6), [2, 3]), int64([2, 2])]],
  ['Expand', [column, int64([2, 1, 3])]],
  ['Range', [int64([2], []), int64([9], []), int64([3], [])]],
  ['Reshape', [box, int64([4, 0, -1])]],
  ['Flatten', [box], { axis: 2 }],
  ['Unsqueeze', [row, int64([0, 2])]],
  ['Squeeze', [column, int64([-1])]],
  ...['ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceSum'].flatMap((op): readonly Row[] => [
    [op, [row]],
    [op, [box, int64([-1, 0])], { keepdims: 0 }],
    [op, [row, int64([])], { noop_with_empty_axes: 1 }],
  ]),
  ['Shape', [box], { start: 1 }],
  ['Shape', [box], { start: -1 }],
  ['Shape', [box], { start: 0, end: -1 }],
  ['Size', [box]],
  ['ConstantOfShape', [int64([2, 2])], { value: int64([4]) }],
  ['BroadcastGradientArgs', [int64([2, 1, 3]), int64([5, 3])]],
];

const cases = rows.map(([opType, inputs, attributes = {}]) => ({ opType, inputs, attributes }));

test.each(cases)('$opType of constants %#', async ({ opType, inputs, attributes }) => {
  const builder = createBuilder();
  const values = inputs.map((tensor, i) => tensor && builder.initializer(`x${i}`, tensor));
  const outputs = builder.emit(opType, values, toAttributes(attributes));
  const folded = outputs.map((output) => builder.constant(output));
  const names = outputs.map(({ name }) => name);
  const wanted =
    domainOf(opType) === ''
      ? [...(await run(builder, builder.nodes, new Map(), names)).values()]
      : await runOracleNode({
          opType,
          inputs,
          attributes,
          outputs: outputs.map(({ type, shape }) => ({ type, shape })),
        });
  folded.forEach((found, i) => {
    expect(found?.type).toBe(wanted[i]?.type);
    expect(found?.dims).toEqual(wanted[i]?.dims);
    expect(plain(found)).toEqual(plain(wanted[i]));
  });
});
