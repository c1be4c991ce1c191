import { GradwareError } from '../../errors.js';
import type { Op } from '../builder.js';
import { tensorOf } from '../constants.js';
import { float, int, type Value } from '../value.js';
import { type DecompositionContext, decompositions } from './decomposition.js';
import { attend, biasOf, joinHeads, never, scaleOf, splitHeads } from './heads.js';
import { stacked } from './stack.js';

/** Keys that count for each entry of a batch: [batch] numbers, as what is added to the scores. */
function lengthBias(op: Op, lengths: Value, like: Value, keys: number, filter: number): Value {
  const batch = lengths.shape[0] ?? 0;
  const places = op.constant(tensorOf(lengths.type, [...Array(keys).keys()], [1, keys]));
  const counts = op.Less(places, op.reshape(lengths, [batch, 1]));
  return op.reshape(biasOf(op, counts, like.type, filter), [batch, 1, 1, keys]);
}

/** ai.onnx Attention, opset 23 and 24. */
function attention(context: DecompositionContext): readonly (Value | undefined)[] {
  const { op, x, attributes, has } = context;
  const flat = x[0].shape.length === 3;
  const heads = int(attributes, 'q_num_heads', 1);
  const keyHeads = int(attributes, 'kv_num_heads', heads);
  const q = flat ? splitHeads(op, x[0], heads) : x[0];
  const [ownK, ownV] = [x[1], x[2]].map((value) =>
    flat ? splitHeads(op, value, keyHeads) : value,
  ) as [Value, Value];
  const k = has(4) ? op.Concat(x[4], ownK, { axis: 2 }) : ownK;
  const v = has(5) ? op.Concat(x[5], ownV, { axis: 2 }) : ownV;
  const bias = () => {
    const missing = (k.shape[2] ?? 0) - (x[3].shape.at(-1) ?? 0);
    const mask = x[3].type === 'bool' ? biasOf(op, x[3], q.type, never(q.type)) : x[3];
    if (missing <= 0) return mask;
    const pads = [...mask.shape.map(() => 0), ...mask.shape.map(() => 0)];
    pads[pads.length - 1] = missing;
    return op.Pad(mask, op.ints(pads), op.scalar(never(q.type), q.type));
  };
  const { y, scores } = attend(op, {
    q,
    k,
    v,
    scale: scaleOf(attributes, q),
    softcap: float(attributes, 'softcap', 0),
    biases: [
      ...(has(3) ? [bias()] : []),
      ...(has(6) ? [lengthBias(op, x[6], q, k.shape[2] ?? 0, never(q.type))] : []),
    ],
    guarded: has(3) || has(6),
    causalOffset:
      int(attributes, 'is_causal', 0) === 0 ? undefined : has(4) ? (x[4].shape[2] ?? 0) : 0,
  });
  return [flat ? joinHeads(op, y) : y, k, v, scores[int(attributes, 'qk_matmul_output_mode', 0)]];
}

/** What a mask of com.microsoft's attention ops adds: [batch, keys] of 0 and 1, [batch, queries, keys], or the number
 *  of keys that count, [batch]. */
function paddingBias(
  { op, node, attributes }: DecompositionContext,
  mask: Value,
  like: Value,
  keys: number,
): Value {
  const { shape } = mask;
  const batch = like.shape[0] ?? 0;
  const filter = float(attributes, 'mask_filter_value', -10000);
  const bias = (valid: Value, dims: readonly number[]) =>
    op.reshape(biasOf(op, valid, like.type, filter), dims);
  if (shape.length === 2) return bias(op.Greater(mask, 0), [shape[0] ?? 1, 1, 1, keys]);
  if (shape.length === 3) return bias(op.Greater(mask, 0), [shape[0] ?? 1, 1, shape[1] ?? 1, keys]);
  if (shape.length === 1 && shape[0] === batch) return lengthBias(op, mask, like, keys, filter);
  throw new GradwareError('NO_GRADIENT', `No gradient is known for ${node.opType} with this mask`, {
    where: `node ${node.name}, mask [${shape}]`,
    remedy: 'Export the model with a mask of shape [batch, keys].',
  });
}

/** Queries, keys and values of one packed tensor: [batch, steps, heads, parts, size]. */
function unpack(op: Op, packed: Value): readonly Value[] {
  const [batch = 0, steps = 0, heads = 0, parts = 0, size = 0] = packed.shape;
  return op
    .Split(packed, { axis: 3, num_outputs: parts })
    .map((part) => op.reshape(part, [batch, steps, heads * size]));
}

/** com.microsoft MultiHeadAttention. */
function multiHead(context: DecompositionContext): readonly (Value | undefined)[] {
  const { op, x, attributes, has } = context;
  const heads = int(attributes, 'num_heads', 1);
  const [first, second] = [x[0].shape.length === 5, has(1) && x[1].shape.length === 5];
  const packed = first ? unpack(op, x[0]) : second ? [x[0], ...unpack(op, x[1])] : x.slice(0, 3);
  const [query, key, value] = packed as [Value, Value, Value];
  const width = query.shape[2] ?? 0;
  const inner = key.shape.length === 3 ? (key.shape[2] ?? 0) : width;
  const biased = (given: Value, from: number) => {
    if (!has(3) || given.shape.length !== 3) return given;
    return op.Add(given, op.slice(x[3], 0, from, from + (given.shape[2] ?? 0)));
  };
  const q = splitHeads(op, biased(query, 0), heads);
  const [ownK, ownV] = [biased(key, width), biased(value, width + inner)].map((given) =>
    given.shape.length === 4 ? given : splitHeads(op, given, heads),
  ) as [Value, Value];
  const k = has(6) ? op.Concat(x[6], ownK, { axis: 2 }) : ownK;
  const v = has(7) ? op.Concat(x[7], ownV, { axis: 2 }) : ownV;
  const keys = k.shape[2] ?? 0;
  const { y } = attend(op, {
    q,
    k,
    v,
    scale: scaleOf(attributes, q),
    softcap: 0,
    biases: [...(has(4) ? [paddingBias(context, x[4], q, keys)] : []), ...(has(5) ? [x[5]] : [])],
    causalOffset: int(attributes, 'unidirectional', 0) === 0 ? undefined : keys - (q.shape[2] ?? 0),
  });
  return [joinHeads(op, y), k, v];
}

/** com.microsoft Attention: one matrix makes queries, keys and values. */
function projected(context: DecompositionContext): readonly (Value | undefined)[] {
  const { op, x, attributes, has, wants, node } = context;
  if (int(attributes, 'past_present_share_buffer', 0) === 1)
    throw new GradwareError('NO_GRADIENT', 'Attention in a shared buffer has no gradient', {
      where: `node ${node.name}`,
      remedy: 'Export the model without past_present_share_buffer.',
    });
  const heads = int(attributes, 'num_heads', 1);
  const sizes = attributes.qkv_hidden_sizes;
  const width = (x[1].shape[1] ?? 0) / 3;
  const parts = sizes?.type === 'ints' ? sizes.value : [width, width, width];
  const product = op.MatMul(x[0], x[1]);
  const all = has(2) ? op.Add(product, x[2]) : product;
  const [q, ...added] = op
    .Split(all, op.ints(parts), { axis: 2 })
    .map((part) => splitHeads(op, part, heads)) as [Value, Value, Value];
  // Keys and values of the past, one behind the other.
  const past = has(4) ? (x[4].shape[3] ?? 0) : 0;
  const [k, v] = added.map((value, i) =>
    has(4)
      ? op.Concat(op.Gather(x[4], op.scalar(i, 'int64'), { axis: 0 }), value, { axis: 2 })
      : value,
  ) as [Value, Value];
  const { y } = attend(op, {
    q,
    k,
    v,
    scale: scaleOf(attributes, q),
    softcap: 0,
    biases: [
      ...(has(3) ? [paddingBias(context, x[3], q, k.shape[2] ?? 0)] : []),
      ...(has(5) ? [x[5]] : []),
    ],
    causalOffset: int(attributes, 'unidirectional', 0) === 0 ? undefined : past,
  });
  return [joinHeads(op, y), wants(1) ? stacked(op, [k, v]) : undefined];
}

export const attentions = decompositions({
  Attention: attention,
  'com.microsoft.Attention': projected,
  'com.microsoft.MultiHeadAttention': multiHead,
});
