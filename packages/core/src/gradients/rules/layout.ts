import { int, ints, normalizeAxis, text, type Value } from '../../graph/value.js';
import { type GradientContext, known, rules } from '../rule.js';

/** Ops that only name the axes anew. */
function back({ dy, x: [x], op }: GradientContext): readonly Value[] {
  return [op.reshape(dy, x.shape)];
}

function transpose({ dy, attributes, op }: GradientContext): readonly Value[] {
  const perm = ints(attributes, 'perm') ?? dy.shape.map((_, axis) => dy.shape.length - 1 - axis);
  return [
    op.transpose(
      dy,
      perm.map((_, axis) => perm.indexOf(axis)),
    ),
  ];
}

function concat({ dy, x, attributes, op }: GradientContext): readonly Value[] {
  const axis = normalizeAxis(int(attributes, 'axis', 0), dy.shape.length);
  if (x.length === 1) return [dy];
  return op.Split(dy, op.ints(x.map((input) => input.shape[axis] ?? 0)), { axis });
}

function split({ dys, ys, x: [x], attributes, op }: GradientContext): readonly Value[] {
  const axis = normalizeAxis(int(attributes, 'axis', 0), x.shape.length);
  const parts = dys.map((dy, i) => dy ?? op.filled(ys[i] as Value, 0));
  return parts.length === 1 ? parts : [op.Concat(...parts, { axis })];
}

function tile(context: GradientContext): readonly Value[] {
  const {
    dy,
    x: [x],
    op,
  } = context;
  const repeats = known(context, 1);
  const parts = x.shape.flatMap((dim, axis) => [repeats[axis] ?? 1, dim]);
  const copies = x.shape.map((_, axis) => 2 * axis);
  return [op.sum(op.reshape(dy, parts), copies)];
}

/** The forward op splits the channels into blocks and moves them beside the pixels; this moves them back. */
function depthToSpace({ dy, x: [x], attributes, op }: GradientContext): readonly Value[] {
  const block = int(attributes, 'blocksize', 1);
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const depth = channels / (block * block);
  const blocks = op.reshape(dy, [batch, depth, height, block, width, block]);
  const blocksFirst = text(attributes, 'mode', 'DCR') === 'DCR';
  const perm = blocksFirst ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4];
  return [op.reshape(op.transpose(blocks, perm), x.shape)];
}

/** The element of the input that position `at` of the padded axis repeats. */
const sources: Readonly<Record<string, (at: number, dim: number) => number>> = {
  edge: (at, dim) => Math.min(Math.max(at, 0), dim - 1),
  wrap: (at, dim) => ((at % dim) + dim) % dim,
  reflect: (at, dim) => {
    const period = Math.max(1, 2 * (dim - 1));
    const within = ((at % period) + period) % period;
    return within < dim ? within : period - within;
  },
};

interface Padding {
  readonly axis: number;
  readonly begin: number;
  readonly end: number;
}

function paddings(context: GradientContext): readonly Padding[] {
  const { x, has } = context;
  const rank = x[0].shape.length;
  const pads = known(context, 1);
  const axes = has(3)
    ? known(context, 3).map((axis) => normalizeAxis(axis, rank))
    : x[0].shape.map((_, axis) => axis);
  return axes
    .map((axis, i) => ({ axis, begin: pads[i] ?? 0, end: pads[i + axes.length] ?? 0 }))
    .filter(({ begin, end }) => begin !== 0 || end !== 0);
}

function pad(context: GradientContext) {
  const { dy, x, has, attributes, op } = context;
  const padded = paddings(context);
  if (padded.length === 0) return [dy];
  const source = sources[text(attributes, 'mode', 'constant')];
  if (source !== undefined) return [unpadByIndex(context, padded, source)];
  const begin = dy.shape.map((_, a) => -(padded.find(({ axis }) => axis === a)?.begin ?? 0));
  const end = dy.shape.map((_, a) => -(padded.find(({ axis }) => axis === a)?.end ?? 0));
  const dx = op.Pad(dy, op.ints([...begin, ...end]));
  if (!has(2)) return [dx];
  // What lies in the padding belongs to the constant.
  return [dx, null, op.reshape(op.Sub(op.sum(dy), op.sum(dx)), x[2].shape)];
}

/** Padding that repeats elements is a Gather along each axis, and its gradient a GatherGrad. */
function unpadByIndex(
  { dy, x: [x], op }: GradientContext,
  padded: readonly Padding[],
  source: (at: number, dim: number) => number,
): Value {
  return padded.reduce((gradient, { axis, begin }) => {
    const dim = x.shape[axis] ?? 0;
    const length = gradient.shape[axis] ?? 0;
    const indices = Array.from({ length }, (_, i) => source(i - begin, dim));
    const shape = gradient.shape.map((d, a) => (a === axis ? dim : d));
    return op.GatherGrad(op.ints(shape), op.ints(indices), gradient, { axis });
  }, dy);
}

export const layout = rules({
  Reshape: back,
  Flatten: back,
  Squeeze: back,
  Unsqueeze: back,
  Transpose: transpose,
  Concat: concat,
  Split: split,
  Expand: ({ dy, x: [x], op }) => [op.sumTo(x, dy)],
  Tile: tile,
  Pad: pad,
  DepthToSpace: depthToSpace,
  SpaceToDepth: ({ dy, attributes, op }) => [
    op.DepthToSpace(dy, { blocksize: int(attributes, 'blocksize', 1) }),
  ],
});
