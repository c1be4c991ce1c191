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
import { column, search, spread } from './search.js';

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
 *  element: of ‖g‖² at least one part in ⌈n/k⌉ stays, as theory asks of top-k. What is sent: the elements as float32,
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
    throw new GradwareError('INVALID_OPTION', 'top-k takes a ratio or k, not both', {
      remedy: 'Leave one of them out.',
    });
  },
  transform: (gradients, { op }, options) =>
    gradients.map((gradient) => {
      const layout = layoutFor(gradient, options);
      if (layout.keep === layout.length) return gradient;
      return spread(op, search(op, gradient, layout), layout, gradient);
    }),
  encode(gradient, { op }, options): Payload {
    const layout = layoutFor(gradient, options);
    if (layout.keep === layout.length) return { values: gradient };
    const { values, places } = search(op, gradient, layout);
    return { values, indices: encodePlaces(op, places, layout) };
  },
  decode(payload, { op }, options, like) {
    const { values, indices } = payload as { readonly values: Value; readonly indices: Value };
    const layout = layoutFor(like, options);
    if (layout.keep === layout.length) return values;
    const places = decodePlaces(op, indices, layout);
    return spread(op, { values, places }, layout, like);
  },
});

function layoutFor({ shape }: Value, { k, ratio: share, exactUpTo }: TopKOptions): Layout {
  return layoutOf(elementCount(shape), { k, ratio: share ?? defaultRatio }, exactUpTo);
}

function bitsOf({ length }: Layout): number {
  return Math.ceil(Math.log2(length));
}

/** Looks int64 up as numbers: webgpu reads it as an index, but cannot compute with it. */
function encodePlaces(op: Op, places: Value, layout: Layout): Value {
  const { length } = layout;
  const bits = bitsOf(layout);
  if (places.type === 'float32')
    return bits > mostBits ? op.cast(places, 'int32') : packBits(op, places, bits);
  if (bits > mostBits) {
    const data = Int32Array.from({ length }, (_, i) => i);
    return op.Gather(op.constant({ type: 'int32', dims: [length], data }), places);
  }
  const numbers = op.reshape(
    column(op, length, (place) => place),
    [length],
  );
  return packBits(op, op.Gather(numbers, places), bits);
}

function decodePlaces(op: Op, sent: Value, layout: Layout): Value {
  const bits = bitsOf(layout);
  const shape = [layout.outer, layout.keep, layout.inner];
  return bits > mostBits ? sent : unpackBits(op, sent, bits, shape);
}
