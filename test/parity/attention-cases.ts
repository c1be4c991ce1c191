import type { GraphBuilder, Op } from '../../packages/core/src/graph/builder.js';
import { type Attributes, toAttributes, type Value } from '../../packages/core/src/graph/value.js';
import { fixed, type GradientCase, ints } from '../support/check-gradients.js';

type Inputs = GradientCase['inputs'];
type Shapes = readonly (readonly number[])[];

const microsoft = 'com.microsoft';

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
      const type = x[0]?.type ?? 'float32';
      const types = shapes.map((shape) => ({ type, shape }));
      // Statistics between the first and the last output have no gradient of their own.
      const outputs = shapes.map((_, i) =>
        i === 0 || i === shapes.length - 1 || domain === '' ? `${op}/${i}` : '',
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
const four = (count: number, length: number) => [batch, count, length, size];
const attention = (
  inputs: Inputs,
  attributes: Attributes = {},
  shape: readonly number[] = four(4, steps),
) => fused('Attention', inputs, [shape], attributes, '');

/** Ops of opset 23, which are taken apart wherever they stand. */
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
];

/** A mask that is shorter than the keys, which the standard pads and ORT's kernel refuses. */
export const shortMasks: readonly GradientCase[] = [
  attention([four(4, steps), four(4, keys), four(4, keys), [batch, 1, steps, keys - 1]]),
];
