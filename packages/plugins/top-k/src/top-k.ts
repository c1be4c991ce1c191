import {
  constant,
  definePlugin,
  elementCount,
  GradwareError,
  integer,
  type Op,
  type Payload,
  packBits,
  ratio,
  unpackBits,
  type Value,
} from '@gradware/core';
import { type Layout, layoutOf } from './layout.js';

const defaultRatio = 0.01;
/** Longer codes are sent as they are. */
const mostBits = 16;

interface TopKOptions {
  readonly ratio: number | undefined;
  readonly k: number | undefined;
  readonly exactUpTo: number;
}

/** Keeps the k elements of every tensor that are largest in absolute value; the others become zero.
 *  g ← g · [|g| among the k largest]   (Aji and Heafield 2017; Stich, Cordonnier and Jaggi 2018)
 *  Exact in tensors of up to `exactUpTo` elements. Larger ones are cut into k blocks, and each keeps its largest
 *  element: of ‖g‖² at least the share k/n stays, as theory asks of top-k. What is sent: the elements as float32,
 *  and their places within the blocks, bit-packed. */
export const topK = definePlugin({
  name: 'top-k',
  description: 'Keeps the elements of every tensor that are largest in absolute value.',
  role: 'compress',
  options: {
    ratio: constant(ratio, undefined, `share of the elements that stay (default ${defaultRatio})`),
    k: constant(integer(1), undefined, 'how many stay of every tensor, in place of a ratio'),
    exactUpTo: constant(
      integer(0),
      16384,
      'the largest tensor of which exactly the largest stay; larger ones go by blocks',
    ),
  },
  validate({ ratio: share, k }) {
    if (share === undefined || k === undefined) return;
    throw new GradwareError('INVALID_OPTION', 'top-k takes a ratio or k, not both');
  },
  transform: (gradients, { op }, options) =>
    gradients.map((gradient) => {
      const layout = layoutFor(gradient, options);
      if (layout.keep === layout.length) return gradient;
      const { values, indices } = largest(op, gradient, layout);
      return scattered(op, values, indices, layout, gradient);
    }),
  encode(gradient, { op }, options): Payload {
    const layout = layoutFor(gradient, options);
    if (layout.keep === layout.length) return { values: gradient };
    const { values, indices } = largest(op, gradient, layout);
    return { values, indices: encodeIndices(op, indices, layout) };
  },
  decode(payload, { op }, options, like) {
    const { values, indices } = payload as { readonly values: Value; readonly indices: Value };
    const layout = layoutFor(like, options);
    if (layout.keep === layout.length) return values;
    return scattered(op, values, decodeIndices(op, indices, layout), layout, like);
  },
});

function layoutFor({ shape }: Value, { k, ratio: share, exactUpTo }: TopKOptions): Layout {
  return layoutOf(elementCount(shape), { k, ratio: share ?? defaultRatio }, exactUpTo);
}

function inBlocks(op: Op, gradient: Value, { length, blocks }: Layout): Value {
  const count = elementCount(gradient.shape);
  const missing = length * blocks - count;
  const flat = op.reshape(gradient, [count]);
  const filled = missing === 0 ? flat : op.Pad(flat, op.ints([0, missing]));
  return op.reshape(filled, [length, blocks]);
}

/** What stays, and where in its block it lies: [keep, blocks], the indices int64. */
function largest(op: Op, gradient: Value, layout: Layout) {
  const rows = inBlocks(op, gradient, layout);
  const sizes = op.Abs(rows);
  const indices =
    layout.keep === 1
      ? op.ArgMax(sizes, { axis: 0, keepdims: 1 })
      : (op.TopK(sizes, op.ints([layout.keep]), { axis: 0, sorted: 0 })[1] as Value);
  const values = op.GatherElements(rows, indices, { axis: 0 });
  // A search for the largest does not see NaN, a sum does: 0, or NaN for all that is sent.
  const total = op.sum(sizes);
  return { values: op.Add(values, op.Sub(total, total)), indices };
}

function scattered(op: Op, values: Value, indices: Value, layout: Layout, like: Value): Value {
  const { length, blocks } = layout;
  const zeros = op.zeros({ type: like.type, shape: [length, blocks] });
  const all = op.ScatterElements(zeros, indices, values, { axis: 0 });
  const count = elementCount(like.shape);
  const flat = op.reshape(all, [length * blocks]);
  return op.reshape(count === length * blocks ? flat : op.slice(flat, 0, 0, count), like.shape);
}

function bitsOf({ length }: Layout): number {
  return Math.ceil(Math.log2(length));
}

/** Looks the indices up as numbers: webgpu reads int64 as an index, but cannot compute with it. */
function encodeIndices(op: Op, indices: Value, layout: Layout): Value {
  const { length } = layout;
  const bits = bitsOf(layout);
  if (bits > mostBits) {
    const data = Int32Array.from({ length }, (_, i) => i);
    return op.Gather(op.constant({ type: 'int32', dims: [length], data }), indices);
  }
  const data = Float32Array.from({ length }, (_, i) => i);
  const codes = op.Gather(op.constant({ type: 'float32', dims: [length], data }), indices);
  return packBits(op, codes, bits);
}

function decodeIndices(op: Op, sent: Value, layout: Layout): Value {
  const bits = bitsOf(layout);
  if (bits > mostBits) return sent;
  return op.cast(unpackBits(op, sent, bits, [layout.keep, layout.blocks]), 'int32');
}
