import { ok } from 'node:assert/strict';
import type { Provider } from '../../packages/core/src/lowering/rule.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { type GradientCase, nameOf, pieceOf } from '../support/check-gradients.js';
import { inProcess } from './in-process.js';
import type { Piece } from './piece.js';

const x = [2, 3] as const;
const image = [1, 2, 4, 4] as const;

/** Ops through which NaN has to come, one that is the first element of their first input. */
const cases: readonly GradientCase[] = [
  ...[
    ...['Abs', 'Atan', 'Celu', 'Cos', 'Elu', 'Erf', 'Exp', 'Gelu', 'HardSwish'],
    ...['Identity', 'LeakyRelu', 'Log', 'Mish', 'Neg', 'Reciprocal', 'Relu', 'Selu'],
    ...['Sigmoid', 'Sin', 'Softplus', 'Softsign', 'Sqrt', 'Tan', 'Tanh'],
  ].map((op) => ({ op, inputs: [x] })),
  ...['Add', 'Div', 'Max', 'Min', 'Mul', 'PRelu', 'Pow', 'Sub', 'Sum', 'Mean'].map((op) => ({
    op,
    inputs: [x, x],
  })),
  {
    op: 'Clip',
    inputs: [
      x,
      { type: 'float', values: [-1], dims: [] },
      { type: 'float', values: [1], dims: [] },
    ],
  },
  ...['ReduceL1', 'ReduceL2', 'ReduceLogSumExp', 'ReduceMean', 'ReduceSum', 'ReduceSumSquare'].map(
    (op) => ({ op, inputs: [x] }),
  ),
  { op: 'Softmax', inputs: [x] },
  { op: 'LogSoftmax', inputs: [x] },
  { op: 'CumSum', inputs: [x, { type: 'int64', values: [1], dims: [] }] },
  { op: 'MatMul', inputs: [x, [3, 2]] },
  { op: 'Gemm', inputs: [x, [3, 2], [2]] },
  { op: 'Conv', inputs: [image, [4, 2, 3, 3]] },
  { op: 'AveragePool', inputs: [image], attributes: { kernel_shape: [2, 2] } },
  { op: 'GlobalAveragePool', inputs: [image] },
  { op: 'LayerNormalization', inputs: [x, [3], [3]] },
];

/** No gradient flows through these: it flows beside them, where NaN does not. */
const flat: readonly GradientCase[] = (['Ceil', 'Floor', 'Round', 'Sign'] as const).map((name) => ({
  op: name,
  inputs: [x],
  build: (op, [value]) => op.Add(op[name](value), op.Where(op.Equal(value, value), value, 0)),
}));

/** Graphs that are fed NaN: it has to come out on every provider as it does on the CPU, gradients and all. */
export async function nanPieces(provider: Provider): Promise<readonly Piece[]> {
  const cpu = inProcess('cpu');
  try {
    const pieces: Piece[] = [];
    for (const checked of [...cases, ...flat]) {
      const { model, feeds } = await pieceOf(checked, provider);
      const fed = new Map(
        [...feeds].map(([name, tensor]) => {
          if (name !== 'x0') return [name, tensor] as const;
          const data = Float32Array.from(tensor.data as Float32Array);
          data[0] = Number.NaN;
          return [name, { ...tensor, data }] as const;
        }),
      );
      const reference = await pieceOf(checked, 'cpu');
      const wanted = await cpu.run(encodeModel(reference.model), fed);
      const [output] = wanted.values();
      const name = `NaN through ${nameOf(checked)}`;
      const first = output?.data[0];
      ok(Number.isNaN(first), `${name}: the CPU gives ${first}`);
      pieces.push({ name, model, feeds: fed, wanted, tolerance: 1e-4 });
    }
    return pieces;
  } finally {
    await cpu.close();
  }
}
