import type { Op } from '../builder.js';
import { tensorOf } from '../constants.js';
import { float, int, type Value } from '../value.js';
import { type DecompositionContext, decompositions } from './decomposition.js';

/** A stack of matrices with its first axis moved before the last (`batch`), then each transposed (`inner`). */
function turned(op: Op, value: Value, batch: boolean, inner: boolean): Value {
  const axes = [...value.shape.keys()];
  const rank = axes.length;
  if (rank < 2) return value;
  const moved = batch ? [...axes.slice(1, -1), 0, rank - 1] : axes;
  const [last = 0, before = 0] = [moved.at(-1), moved.at(-2)];
  return op.transpose(value, inner ? [...moved.slice(0, -2), last, before] : moved);
}

/** α·op(A)·op(B), as ONNX Runtime fuses transposes and scales with products. */
function matMul({ op, x, attributes }: DecompositionContext): readonly Value[] {
  const on = (name: string) => int(attributes, name, 0) === 1;
  const a = turned(op, x[0], on('transBatchA'), on('transA'));
  const b = turned(op, x[1], on('transBatchB'), on('transB'));
  const alpha = float(attributes, 'alpha', 1);
  const product = op.MatMul(a, b);
  return [alpha === 1 ? product : op.Mul(product, alpha)];
}

/** Words, places and segments, summed and normalized; the mask as numbers of words. */
function embed({ op, x, attributes, has }: DecompositionContext): readonly (Value | undefined)[] {
  const [ids, segments, words, positions, kinds, gamma, beta, mask] = x;
  const [batch = 0, steps = 0] = ids.shape;
  const places = has(8)
    ? (x[8] as Value)
    : op.constant(tensorOf('int64', [...Array(steps).keys()], [1, steps]));
  const look = (table: Value, at: Value) => op.Gather(table, at, { axis: 0 });
  const placed = op.Add(look(words, ids), look(positions, places));
  const sum = has(1) && has(4) ? op.Add(placed, look(kinds, segments)) : placed;
  const [y] = op.LayerNormalization(sum, gamma, beta, {
    axis: -1,
    epsilon: float(attributes, 'epsilon', 1e-12),
  });
  const counts = has(7)
    ? op.reshape(op.ReduceSum(op.cast(mask, 'int32'), op.ints([1])), [batch])
    : op.zeros({ type: 'int32', shape: [batch] });
  return [y, counts, sum];
}

/** GEGLU: one half times the GELU of the other. */
function biasSplitGelu({ op, x: [x, bias] }: DecompositionContext): readonly Value[] {
  const halves = op.Split(op.Add(x, bias), { axis: x.shape.length - 1, num_outputs: 2 });
  const [value, gate] = halves as [Value, Value];
  return [op.Mul(value, op.Gelu(gate))];
}

export const fusedForms = decompositions({
  /** x·σ(αx). */
  Swish: ({ op, x: [x], attributes }) => {
    const alpha = float(attributes, 'alpha', 1);
    return [op.Mul(x, op.Sigmoid(alpha === 1 ? x : op.Mul(x, alpha)))];
  },
  'com.microsoft.BiasAdd': ({ op, x: [x, bias, skip] }) => [op.Add(op.Add(x, bias), skip)],
  'com.microsoft.BiasSplitGelu': biasSplitGelu,
  'com.microsoft.EmbedLayerNormalization': embed,
  'com.microsoft.FusedMatMul': matMul,
  'com.microsoft.TransposeMatMul': matMul,
});
