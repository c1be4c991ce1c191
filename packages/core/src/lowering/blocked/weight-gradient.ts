import type { Op } from '../../graph/builder.js';
import { tensorOf } from '../../graph/constants.js';
import { type Window, windowOf } from '../../graph/shapes/compute.js';
import { elementCount, int, type Value } from '../../graph/value.js';
import type { LoweringContext } from '../rule.js';
import { marginsOf, padToWindows } from '../rules/convolution.js';
import { padWith } from '../rules/spread.js';
import { range } from './filters.js';
import { asPlane, convolveBlocks, fromBlocks, type Layout, planeShape } from './layout.js';
import { isWorthwhile } from './worth.js';

/** X and dY of two spatial axes, and the convolution of the one with the other, whose output are the places of the kernel:
 *  strides and dilations have changed places. */
interface Exchange {
  readonly x: Value;
  readonly dy: Value;
  /** Of the convolution that is differentiated. */
  readonly window: Window;
  readonly exchanged: Window;
}

/** Rows from which on the list of their numbers would be larger than what is saved. */
const longList = 2 ** 20;

/** dW as the convolution of X with dY for its filters. Measured on cpu: 0.4 to 0.85 of the time of one product of rows, without
 *  its copies of X; with one filter per channel a quarter of that of products and sums.
 *  @returns undefined where the kernels cannot do it, or gain nothing */
export function weightGradient(context: LoweringContext, layout: Layout): Value | undefined {
  const { op, x: given, attributes } = context;
  const [dy, x, w] = given;
  const [filters = 0, channels = 0, ...kernel] = w.shape;
  const group = int(attributes, 'group', 1);
  const products = channels * elementCount(kernel) * elementCount(dy.shape);
  if (!isWorthwhile({ image: x, kernel, products })) return undefined;
  const plane = (image: Value) => op.reshape(image, planeShape(image.shape));
  const window = asPlane(windowOf(attributes, x.shape.slice(2), kernel));
  const exchange: Exchange = {
    x: plane(x),
    dy: plane(dy),
    window,
    exchanged: {
      kernel: window.output,
      strides: window.dilations,
      dilations: window.strides,
      pads: [0, 0, 0, 0],
      output: window.kernel,
    },
  };
  const byChannel = group > 1 && channels === 1 && filters === group;
  const dw = byChannel
    ? channelByChannel(context, exchange, layout)
    : group === 1
      ? acrossChannels(context, exchange, layout)
      : undefined;
  return dw && op.reshape(dw, w.shape);
}

/** Samples are channels, and channels samples. */
function acrossChannels(
  context: LoweringContext,
  { x, dy, window, exchanged }: Exchange,
  layout: Layout,
): Value | undefined {
  const { op } = context;
  const { block } = layout;
  const [batch = 0, filters = 0] = dy.shape;
  if (filters % block !== 0 || !fills(batch, block)) return undefined;
  const partly = batch > block && batch % block !== 0;
  if (partly && elementCount(dy.shape) > longList * block) return undefined;
  const turned = op.transpose(x, [1, 0, 2, 3]);
  const image =
    batch < block
      ? padToWindows(op, turned, window)
      : padBlocks(op, layout.blocks(turned), window, block);
  const arranged = filtersOf(op, layout.blocks(dy), image.shape[1] ?? 0, block);
  const y = fromBlocks(context, convolveBlocks(context, [image, arranged], exchanged, 1), filters);
  const places = op.reshape(y, [x.shape[1] ?? 0, filters, elementCount(window.kernel)]);
  // Not a Transpose: ONNX Runtime would push it through the optimizer, at ten times the price.
  return op.Einsum(places, { equation: 'cmk->mck' });
}

/** One filter per channel: every channel of every sample is a group, and its dY the filter. */
function channelByChannel(
  context: LoweringContext,
  { x, dy, window, exchanged }: Exchange,
  { block, blocks }: Layout,
): Value | undefined {
  const { op } = context;
  const [batch = 0, channels = 0] = x.shape;
  const groups = batch * channels;
  if (groups % block !== 0) return undefined;
  const asGroups = (image: Value) => op.reshape(image, [1, groups, ...image.shape.slice(2)]);
  // Where channels fill blocks, these lie the same for every sample.
  const inBlocks = (image: Value) =>
    channels % block === 0 ? asGroups(blocks(image)) : blocks(asGroups(image));
  const image = padBlocks(op, inBlocks(x), window, block);
  const filters = op.reshape(inBlocks(dy), [groups, 1, ...window.output]);
  const y = fromBlocks(
    context,
    convolveBlocks(context, [image, filters], exchanged, groups),
    groups,
  );
  return op.sum(op.reshape(y, [batch, channels, ...window.kernel]), [0]);
}

/** Whether a batch is less than a block, or fills the blocks that it takes by four fifths. */
function fills(batch: number, block: number): boolean {
  return batch < block || (batch % 4 === 0 && batch >= 0.8 * block * Math.ceil(batch / block));
}

/** Padding in blocks: at its edge the kernels take one place at a time, and of a gradient's few places most lie at an edge. */
function padBlocks(op: Op, image: Value, window: Window, block: number): Value {
  const [batch = 0, channels = 0, height = 0, width = 0] = image.shape;
  const [above = [], beside = []] = marginsOf(window, [height, width]);
  const flat = op.reshape(image, [(batch * channels) / block, height, width * block]);
  const padded = padWith(op, flat, [[0, 0], above, beside.map((margin) => margin * block)]);
  const [, tall = 0, wide = 0] = padded.shape;
  return op.reshape(padded, [batch, channels, tall, wide / block]);
}

/** dY as filters: its rows of a block of channels each, in the order in which the kernel reads them. */
function filtersOf(op: Op, dy: Value, samples: number, block: number): Value {
  const [batch = 0, channels = 0, ...spatial] = dy.shape;
  const [blocks, places] = [channels / block, elementCount(spatial)];
  const inner = samples < block ? 1 : block;
  const count = samples * blocks * places;
  if (batch === samples && (inner === 1 || count > longList)) {
    const rows = op.reshape(dy, [batch / inner, inner, blocks, places, block]);
    return op.reshape(op.transpose(rows, [2, 0, 3, 1, 4]), [channels, samples, ...spatial]);
  }
  const order = range(blocks).flatMap((output) =>
    range(samples / inner).flatMap((first) =>
      range(places).flatMap((place) =>
        range(inner).map((next) => {
          const sample = first * inner + next;
          // Samples that fill a last block meet zeros, whatever they are.
          return sample < batch ? (sample * blocks + output) * places + place : 0;
        }),
      ),
    ),
  );
  // Takes half of the time of a Transpose, with one thread.
  const rows = op.reshape(dy, [batch * blocks * places, block]);
  const gathered = op.Gather(rows, op.constant(tensorOf('int32', order)), { axis: 0 });
  return op.reshape(gathered, [channels, samples, ...spatial]);
}
