import type { GraphBuilder, Op } from '../../packages/core/src/graph/builder.js';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import {
  type Attributes,
  elementCount,
  toAttributes,
  type Value,
} from '../../packages/core/src/graph/value.js';
import { fixed, type GradientCase, ints } from '../support/check-gradients.js';

type Inputs = GradientCase['inputs'];
type Shapes = readonly (readonly number[])[];

const microsoft = 'com.microsoft';
const never = Number.POSITIVE_INFINITY;

/** A fused op whose outputs no shape rule tells; the last of them counts, too. */
function fused(
  op: string,
  inputs: Inputs,
  shapes: Shapes,
  attributes: Attributes,
  domain = microsoft,
): GradientCase {
  return {
    op,
    domain,
    inputs,
    attributes,
    range: [-1, 1],
    build(builderOp: Op, x: readonly Value[], emit: GraphBuilder['emit']) {
      const type = x.find((value) => value?.type.startsWith('float'))?.type ?? 'float32';
      const types = shapes.map((shape) => ({ type, shape }));
      // Statistics between the first and the last output have no gradient of their own.
      const all = domain === '' || op === 'GroupQueryAttention';
      const outputs = shapes.map((_, i) =>
        all || i === 0 || i === shapes.length - 1 ? `${op}/${i}` : '',
      );
      const made = emit(op, x, toAttributes(attributes), { types, domain, outputs });
      const used = made.filter((_, i) => outputs[i] !== '');
      const flat = used.map((value) => builderOp.reshape(value, [-1]));
      return flat.length === 1 ? (flat[0] as Value) : builderOp.Concat(...flat, { axis: 0 });
    },
  };
}

const [batch, steps, keys, heads, size] = [2, 3, 4, 2, 4];
const width = heads * size;
const [q, k] = [
  [batch, steps, width],
  [batch, keys, width],
];
const bias = [3 * width];
const multiHead = (more: Inputs, attributes: Attributes = {}, length = steps) =>
  fused('MultiHeadAttention', [q, [batch, length, width], [batch, length, width], ...more], [q], {
    num_heads: heads,
    ...attributes,
  });

const int32 = (values: readonly number[], dims?: readonly number[]) => fixed('int32', values, dims);

/** Fused ops that stock ONNX Runtime has kernels for, taken apart where a gradient flows. */
export const fusedOps: readonly GradientCase[] = [
  multiHead([]),
  multiHead([], {}, keys),
  multiHead([], { scale: 0.7 }),
  multiHead([bias]),
  multiHead([], { unidirectional: 1 }),
  multiHead([null, int32([1, 1, 1, 0, 1, 0, 1, 1], [batch, keys])], {}, keys),
  multiHead([null, int32([3, 2])], {}, keys),
  multiHead([null, null, [1, heads, steps, keys]], {}, keys),
  multiHead([null, null, [batch, 1, steps, keys]], {}, keys),
  multiHead([bias, null, [batch, heads, steps, steps]], { unidirectional: 1 }),
  fused('MultiHeadAttention', [q, [batch, heads, keys, size], [batch, heads, keys, size]], [q], {
    num_heads: heads,
  }),
  ...[{}, { unidirectional: 1 }, { scale: 0.4 }].map((attributes) =>
    fused('Attention', [[batch, steps, 5], [5, 3 * width], bias], [q], {
      num_heads: heads,
      ...attributes,
    }),
  ),
  fused(
    'Attention',
    [[batch, steps, 5], [5, 3 * width], bias, int32([1, 1, 0, 1, 0, 1], [batch, steps])],
    [q],
    { num_heads: heads },
  ),
  ...[{}, { unidirectional: 1 }].map((attributes) =>
    fused(
      'Attention',
      [[batch, steps, 5], [5, 3 * width], bias, null, [2, batch, heads, 2, size]],
      [q, [2, batch, heads, 2 + steps, size]],
      { num_heads: heads, ...attributes },
    ),
  ),
  fused(
    'Attention',
    [
      ...[[batch, 1, 5], [5, 3 * width], bias],
      int32([0, 1, 1, 1, 1, 0, 1, 1], [batch, 4]),
      [2, batch, heads, 3, size],
    ],
    [
      [batch, 1, width],
      [2, batch, heads, 4, size],
    ],
    { num_heads: heads, unidirectional: 1 },
  ),
  ...[[[width]], [[width], [width]], [null, [width]], []].flatMap((more) => [
    fused('SkipLayerNormalization', [q, q, [width], ...more], [q, q, q, q], { epsilon: 1e-5 }),
    fused('SkipLayerNormalization', [q, [1, steps, width], [width], ...more], [q], {}),
  ]),
  fused('SkipSimplifiedLayerNormalization', [q, q, [width]], [q, q, q, q], { epsilon: 1e-5 }),
  fused('SkipSimplifiedLayerNormalization', [q, q, [width], [width]], [q], { epsilon: 1e-5 }),
  ...[0, 1].flatMap((interleaved) => [
    fused('RotaryEmbedding', [q, ints(1), [9, size / 2], [9, size / 2]], [q], { interleaved }),
    fused(
      'RotaryEmbedding',
      [
        [batch, heads, steps, size],
        fixed('int64', [0, 1, 2, 5, 3, 1], [batch, steps]),
        [9, size / 2],
        [9, size / 2],
      ],
      [[batch, heads, steps, size]],
      { interleaved },
    ),
    fused('RotaryEmbedding', [q, ints(0), [9, 1], [9, 1]], [q], {
      interleaved,
      num_heads: heads,
      rotary_embedding_dim: 2,
    }),
  ]),
];

const [groups, room, headSize] = [2, 4, 16];
const shared = [batch, room, groups * headSize];
const queries = [batch, room, 2 * groups * headSize];
/** Four heads of queries, two of keys and values. */
const grouped = (
  given: Inputs,
  attributes: Attributes = {},
  more: Inputs = [],
  lengths: readonly number[] = [room - 1, room - 1],
) =>
  fused(
    'GroupQueryAttention',
    [...given, null, null, int32(lengths), int32([room], []), ...more],
    [queries, [batch, groups, room, headSize], [batch, groups, room, headSize]],
    { num_heads: 2 * groups, kv_num_heads: groups, ...attributes },
  );
/** The same for what is new behind a past: `total` keys in all, which for the kernel is one step, or one sequence. */
const behind = (
  [rows, room, fresh]: readonly [number, number, number],
  total: number,
  attributes: Attributes = {},
  more: Inputs = [],
  lengths: readonly number[] = Array(rows).fill(total - 1),
) => {
  const kept = [rows, groups, room, headSize];
  const present = [rows, groups, Math.max(room, total), headSize];
  const own = [rows, fresh, groups * headSize];
  const y = [rows, fresh, 2 * groups * headSize];
  return fused(
    'GroupQueryAttention',
    [y, own, own, kept, kept, int32(lengths), int32([total], []), ...more],
    [y, present, present],
    { num_heads: 2 * groups, kv_num_heads: groups, ...attributes },
  );
};
const apart = [queries, shared, shared];
const angles: Inputs = [
  [room + 1, headSize / 2],
  [room + 1, headSize / 2],
];

/** Attention over groups of queries, as decoders are exported for ONNX Runtime. */
export const groupedAttention: readonly GradientCase[] = [
  grouped(apart),
  grouped([[batch, room, 4 * groups * headSize], null, null]),
  grouped(apart, { scale: 0.3, softcap: 2 }),
  grouped(apart, { local_window_size: 2 }),
  grouped(apart, {}, [], [1, 3]),
  grouped(apart, { smooth_softmax: 1 }),
  grouped(apart, {}, [null, null, null, null, [2 * groups]]),
  grouped(apart, {}, [null, null, null, [batch, 1, room, room]]),
  ...[0, 1].map((rotary_interleaved) =>
    grouped(apart, { do_rotary: 1, rotary_interleaved }, angles),
  ),
  grouped([[batch, room, 4 * groups * headSize], null, null], { do_rotary: 1 }, angles),
  grouped(apart, { do_rotary: 1 }, [
    ...angles,
    fixed('int64', [0, 1, 2, 3, 1, 2, 3, 4], [batch, room]),
  ]),
  behind([1, 2, 3], 5),
  behind([2, 3, 1], 4),
  behind([1, 2, 3], 5, { do_rotary: 1, local_window_size: 2 }, angles),
  behind([2, 4, 1], 5, { do_rotary: 1, softcap: 2 }, angles, [4, 1]),
  behind([1, 7, 2], 5, { smooth_softmax: 1 }),
  behind([2, 3, 1], 4, {}, [null, null, null, [2, 1, 1, 4]]),
];

const words = fixed('int32', [0, 3, 1, 2, 2, 4], [batch, steps]);
const kinds = fixed('int32', [0, 0, 1, 1, 0, 1], [batch, steps]);
const embedding = (places: Inputs, attributes: Attributes = {}) => {
  const tables = [
    [5, width],
    [6, width],
  ];
  const [segments = null, segmentTable = null, mask = null, positions = null] = places;
  return fused(
    'EmbedLayerNormalization',
    [words, segments, ...tables, segmentTable, [width], [width], mask, positions],
    [q, [batch], q],
    attributes,
  );
};

/** What ONNX Runtime's optimizers make of embeddings, products and their neighbours. */
export const fusedForms: readonly GradientCase[] = [
  embedding([], { epsilon: 1e-5 }),
  embedding([kinds, [2, width]]),
  embedding([kinds, [2, width], int32([1, 1, 0, 1, 1, 1], [batch, steps])]),
  embedding([null, null, null, fixed('int32', [0, 1, 2, 1, 3, 5], [batch, steps])]),
  ...[
    {},
    { transA: 1 },
    { transB: 1 },
    { transA: 1, transB: 1, alpha: 0.3 },
    { transBatchA: 1 },
    { transBatchB: 1 },
    { transBatchA: 1, transA: 1 },
    { transBatchB: 1, transB: 1, transBatchA: 1 },
  ].map((attributes) =>
    fused(
      'FusedMatMul',
      [
        [3, 3, 3],
        [3, 3, 3],
      ],
      [[3, 3, 3]],
      attributes,
    ),
  ),
  fused(
    'FusedMatMul',
    [
      [2, 3, 4],
      [5, 4],
    ],
    [[2, 3, 5]],
    { transB: 1 },
  ),
  fused(
    'TransposeMatMul',
    [
      [2, 4, 3],
      [4, 5],
    ],
    [[2, 3, 5]],
    { transA: 1 },
  ),
];

const visible = fixed('bool', [1, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1], [steps, keys]);

/** A query that may see nothing gets zeros, as PyTorch exports its attention with masks. */
export const emptyRows: readonly GradientCase[] = [
  {
    op: 'Softmax of masked rows',
    inputs: [[batch, steps, keys], visible, [batch, keys, size]],
    build(op: Op, [x, mask, v]: readonly Value[]) {
      const scores = op.Where(mask, x, op.scalar(-never, (x as Value).type));
      const weights = op.Softmax(scores, { axis: -1 });
      const safe = op.Where(op.IsNaN(weights), op.scalar(0, weights.type), weights);
      return op.MatMul(safe, v);
    },
  },
];

const bytes = (...dims: readonly number[]) =>
  fixed(
    'uint8',
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => (i * 37 + 11) % 256),
    dims,
  );
const scales = (count: number) =>
  fixed(
    'float',
    Array.from({ length: count }, (_, i) => 0.01 + 0.003 * (i % 5)),
  );
const narrow = (
  [rows, columns, bits]: readonly [number, number, number],
  more: Inputs = [],
  block = 32,
) => {
  const blocks = Math.ceil(columns / block);
  return {
    ...fused(
      'MatMulNBits',
      [[2, 3, columns], bytes(rows, blocks, (block * bits) / 8), scales(rows * blocks), ...more],
      [[2, 3, rows]],
      { K: columns, N: rows, bits, block_size: block },
    ),
    precision: 'float32' as const,
  };
};
const small = (...dims: readonly number[]) => ({
  ...fixed(
    'int8',
    bytes(...dims).values.map((value) => value - 128),
    dims,
  ),
});

/** Products with weights of few bits, which stay as they are. */
export const quantized: readonly GradientCase[] = [
  narrow([4, 64, 4]),
  narrow([4, 40, 4]),
  narrow([4, 40, 4], [bytes(4, 1)]),
  narrow([3, 96, 4], [bytes(3, 2)]),
  narrow([4, 48, 4], [], 16),
  narrow([4, 64, 8]),
  narrow([4, 64, 4], [null, null, [4]]),
  narrow([4, 64, 4], [null, int32(Array.from({ length: 64 }, (_, i) => (5 * i) % 2))]),
  { op: 'DequantizeLinear', inputs: [small(3, 4), [], fixed('int8', [3], [])] },
  { op: 'DequantizeLinear', inputs: [small(3, 4), []] },
  {
    op: 'DequantizeLinear',
    inputs: [small(3, 4), [3], fixed('int8', [3, -2, 0])],
    attributes: { axis: 0 },
  },
  { op: 'DequantizeLinear', inputs: [small(2, 3, 2), [3]], attributes: { axis: -2 } },
  {
    op: 'DequantizeLinear',
    inputs: [small(3, 4), [3, 2], small(3, 2)],
    attributes: { axis: 1, block_size: 2 },
  },
];

const int16 = 5;
const level = 2 ** -15;
const fine = (
  scale: readonly number[],
  attributes: Attributes = {},
  dims: readonly number[] = scale.length > 1 ? [scale.length] : [],
  domain = '',
): GradientCase => ({
  op: 'QuantizeLinear',
  inputs: [[4, 8], fixed('float', scale, dims)],
  attributes,
  domain,
  range: [-1, 1],
  // Levels so near one another that differences of what is rounded are those of what is not.
  build(op: Op, [x, by]: readonly Value[], emit) {
    if (domain === '') {
      const quantized = op.QuantizeLinear(x, by, { ...attributes, output_dtype: int16 });
      return op.DequantizeLinear(quantized, by, attributes);
    }
    const zero = op.constant(tensorOf('int16', Array<number>(elementCount(dims)).fill(5), dims));
    const settings = toAttributes(attributes);
    const [quantized] = emit('QuantizeLinear', [x, by, zero], settings, { domain });
    const [back] = emit('DequantizeLinear', [quantized, by, zero], settings, { domain });
    return back as Value;
  },
});
const rows = [level * 1.05, level / 2, level / 3, level * 2];

/** Pairs that round as training aware of quantization does; beyond the range nothing changes. */
export const rounding: readonly GradientCase[] = [
  fine([level * 1.05]),
  fine(rows, { axis: 0 }),
  fine([level, level, level, level, level / 2, level, level, level], { axis: -1 }),
  fine([...rows, ...rows], { axis: 1, block_size: 4 }, [4, 2]),
  fine([level * 1.05], {}, [], microsoft),
  fine(rows, { axis: 0 }, [4], microsoft),
];

/** Ops that ONNX Runtime has on GPUs only. */
export const gpuForms: readonly GradientCase[] = [
  fused('BiasSplitGelu', [[2, 3, 8], [8]], [[2, 3, 4]], {}),
  fused('BiasAdd', [[2, 3, 4], [4], [2, 3, 4]], [[2, 3, 4]], {}),
];

const four = (count: number, length: number) => [batch, count, length, size];
const attention = (
  inputs: Inputs,
  attributes: Attributes = {},
  shape: readonly number[] = four(4, steps),
) => fused('Attention', inputs, [shape], attributes, '');

/** Ops of opset 23 and 24, which are taken apart wherever they stand. */
export const laterOps: readonly GradientCase[] = [
  attention([four(4, steps), four(4, keys), four(4, keys)]),
  attention([four(4, steps), four(2, keys), four(2, keys)], { scale: 0.3 }),
  attention([four(4, steps), four(4, steps), four(4, steps)], { is_causal: 1, softcap: 1.5 }),
  attention([four(4, steps), four(4, keys), four(4, keys), [steps, keys]]),
  attention([
    four(4, steps),
    four(4, keys),
    four(4, keys),
    fixed('bool', [1, 1, 0, 1, 0, 1, 1, 1, 1, 0, 0, 1], [steps, keys]),
  ]),
  // A query that may see no key at all.
  attention([
    four(4, steps),
    four(4, keys),
    four(4, keys),
    fixed('bool', [1, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1], [steps, keys]),
  ]),
  attention([
    four(4, steps),
    four(2, steps),
    four(2, steps),
    fixed('float', [0, 0, 0, -never, -never, -never, 0.5, -never, 0.1], [steps, steps]),
  ]),
  attention(
    [
      four(4, steps),
      four(4, steps),
      four(4, steps),
      fixed('bool', [0, 1, 1, 1, 1, 1, 1, 0, 1], [steps, steps]),
    ],
    { is_causal: 1 },
  ),
  fused(
    'Attention',
    [four(4, steps), four(4, steps), four(4, steps), null, four(4, 2), four(4, 2)],
    [four(4, steps), four(4, steps + 2), four(4, steps + 2)],
    { is_causal: 1 },
    '',
  ),
  attention([q, k, [batch, keys, width]], { q_num_heads: 2, kv_num_heads: 2 }, q),
  attention([q, [batch, keys, size], [batch, keys, size]], { q_num_heads: 2, kv_num_heads: 1 }, q),
  ...[0, 1].map((interleaved) =>
    fused(
      'RotaryEmbedding',
      [four(2, steps), [batch, steps, size / 2], [batch, steps, size / 2]],
      [four(2, steps)],
      { interleaved },
      '',
    ),
  ),
  fused(
    'RotaryEmbedding',
    [q, [9, 1], [9, 1], fixed('int64', [0, 1, 2, 5, 3, 1], [batch, steps])],
    [q],
    { num_heads: heads, rotary_embedding_dim: 2 },
    '',
  ),
  ...[{}, { alpha: 0.5 }].map((attributes) => fused('Swish', [[2, 3]], [[2, 3]], attributes, '')),
];

/** A mask that is shorter than the keys, which the standard pads and ORT's kernel refuses. */
export const shortMasks: readonly GradientCase[] = [
  attention([four(4, steps), four(4, keys), four(4, keys), [batch, 1, steps, keys - 1]]),
];
