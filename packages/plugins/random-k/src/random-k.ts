import {
  boolean,
  constant,
  definePlugin,
  elementCount,
  GradwareError,
  integer,
  type PluginContext,
  ratio,
  type Value,
} from '@gradware/core';

const defaultRatio = 0.01;

interface RandomKOptions {
  readonly ratio: number | undefined;
  readonly k: number | undefined;
  readonly unbiased: boolean;
}

/** Keeps k random elements of every tensor, one of each of k blocks of about equal size b; the others become zero.
 *  g_i ← b · g_i with probability 1/b, else 0, so that on average nothing is lost
 *  (random sparsification, Stich, Cordonnier and Jaggi 2018; Wangni et al. 2018)
 *  With `unbiased: false` g_i ← g_i, which is what error feedback wants. What is sent: the elements; who has the
 *  seed and counts the steps knows where they lie. */
export const randomK = definePlugin({
  name: 'random-k',
  description: 'Keeps random elements of every tensor; unbiased.',
  role: 'compress',
  expands: ({ unbiased }) => unbiased === true,
  options: {
    ratio: constant(ratio, undefined, `share of the elements that stay (default ${defaultRatio})`),
    k: constant(integer(1), undefined, 'how many stay of every tensor, in place of a ratio'),
    unbiased: constant(boolean, true, 'multiplies what stays, so that the mean is kept'),
  },
  validate({ ratio: share, k }) {
    if (share === undefined || k === undefined) return;
    throw new GradwareError('INVALID_OPTION', 'random-k takes a ratio or k, not both', {
      remedy: 'Leave one of them out.',
    });
  },
  encode(gradient, context, options) {
    const { op } = context;
    const { starts } = blocksOf(gradient, options);
    if (starts.length === 0) return { values: gradient };
    const flat = op.reshape(gradient, [elementCount(gradient.shape)]);
    const values = op.Gather(flat, placesOf(gradient, context, options));
    // What is left out may be NaN: 0, or NaN for all that is sent.
    const total = op.sum(op.cast(gradient, 'float32'));
    return { values: op.Add(values, op.cast(op.Sub(total, total), values.type)) };
  },
  decode({ values }, context, options, like) {
    const { op } = context;
    const { starts, sizes } = blocksOf(like, options);
    const sent = values as Value;
    if (starts.length === 0) return sent;
    const weight = op.constant({ type: 'float32', dims: [sizes.length], data: sizes });
    const weighted = options.unbiased ? op.Mul(sent, op.cast(weight, sent.type)) : sent;
    const zeros = op.zeros({ type: like.type, shape: [elementCount(like.shape)] });
    const places = placesOf(like, context, options);
    return op.reshape(op.ScatterElements(zeros, places, weighted, { axis: 0 }), like.shape);
  },
});

interface Blocks {
  readonly starts: Int32Array;
  readonly sizes: Float32Array;
}

/** Where blocks begin, and how long they are; none where everything is kept. */
function blocksOf({ shape }: Value, { ratio: share, k }: RandomKOptions): Blocks {
  const count = elementCount(shape);
  const blocks = k ?? Math.max(1, Math.round((share ?? defaultRatio) * count));
  const length = blocks < count ? blocks : 0;
  const start = (block: number) => Math.floor((block * count) / blocks);
  return {
    starts: Int32Array.from({ length }, (_, block) => start(block)),
    sizes: Float32Array.from({ length }, (_, block) => start(block + 1) - start(block)),
  };
}

/** The same places for sender and receiver: int32 [blocks]. */
function placesOf(like: Value, { op, random }: PluginContext, options: RandomKOptions): Value {
  const { starts, sizes } = blocksOf(like, options);
  const dims = [starts.length];
  const size = op.constant({ type: 'float32', dims, data: sizes });
  const chance = random({ like: { ...size, parameter: like.parameter }, key: 'places' });
  const within = op.Min(op.Floor(op.Mul(chance, size)), op.Sub(size, 1));
  return op.Add(op.constant({ type: 'int32', dims, data: starts }), op.cast(within, 'int32'));
}
