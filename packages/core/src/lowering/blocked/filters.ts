import type { Op } from '../../graph/builder.js';
import { tensorOf } from '../../graph/constants.js';
import type { Window } from '../../graph/shapes/compute.js';
import { elementCount, type Value } from '../../graph/value.js';

/** A convolution over two spatial axes, or the gradient of one with respect to its input, which is another. */
export interface Convolution extends Window {
  readonly image: Value;
  /** [filters, channels of a group, ...kernel] of the convolution that is differentiated. */
  readonly filters: Value;
  readonly group: number;
  /** Whether the filters are turned round, and their input and output channels exchanged. */
  readonly turned: boolean;
}

/** How the kernel reads filters: blocks of input within blocks of output channels; for the few channels of a first layer
 *  one input channel after the other, the image as it is; one filter per channel. */
export type Form = 'dense' | 'direct' | 'depthwise';

/** Channels of a group: those that come in, those that go out. */
function channelsOf({
  filters,
  group,
  turned,
}: Convolution): readonly [inward: number, outward: number] {
  const [all = 0, channels = 0] = filters.shape;
  return turned ? [all / group, channels] : [channels, all / group];
}

/** The form that the kernel has for these channels; undefined if none. */
export function formOf(convolution: Convolution, block: number): Form | undefined {
  const { group, image } = convolution;
  const [inward, outward] = channelsOf(convolution);
  if (group > 1 && inward === 1 && outward === 1) {
    const channels = image.shape[1] ?? 0;
    // A last block is filled with zeros, where there are fours of channels.
    return channels % 4 === 0 && channels * 2 >= block ? 'depthwise' : undefined;
  }
  if (outward % block !== 0) return undefined;
  if (inward % block === 0) return 'dense';
  return group === 1 && inward < block ? 'direct' : undefined;
}

/** The filters as the kernel reads them. */
export function arrangeFilters(op: Op, convolution: Convolution, form: Form, block: number): Value {
  const [inward, outward] = channelsOf(convolution);
  const { kernel, group } = convolution;
  if (form !== 'depthwise')
    return op.reshape(byBlocks(op, convolution, form === 'direct' ? 1 : block, block), [
      group * outward,
      inward,
      ...kernel,
    ]);
  const rows = byChannels(op, convolution, block);
  return op.reshape(rows, [elementCount(rows.shape) / elementCount(kernel), 1, ...kernel]);
}

/** Rows of one block of output channels each; a Gather copies them into their order. */
function byBlocks(op: Op, convolution: Convolution, inner: number, block: number): Value {
  const { filters, group, turned } = convolution;
  const [inward, outward] = channelsOf(convolution);
  const offsets = offsetsOf(convolution);
  const blocks = outward / block;
  const [rows, at] = turned
    ? [
        op.transpose(
          op.reshape(filters, [group * inward, blocks, block, offsets.length]),
          [0, 1, 3, 2],
        ),
        (part: number, out: number, channel: number) => (part * inward + channel) * blocks + out,
      ]
    : [
        op.transpose(
          op.reshape(filters, [group * blocks, block, inward * offsets.length]),
          [0, 2, 1],
        ),
        (part: number, out: number, channel: number) => (part * blocks + out) * inward + channel,
      ];
  const order = range(group).flatMap((part) =>
    range(blocks).flatMap((out) =>
      range(inward / inner).flatMap((first) =>
        offsets.flatMap((offset) =>
          range(inner).map((next) => at(part, out, first * inner + next) * offsets.length + offset),
        ),
      ),
    ),
  );
  const flat = op.reshape(rows, [order.length, block]);
  if (order.every((row, i) => row === i)) return flat;
  return op.Gather(flat, op.constant(tensorOf('int32', order)), { axis: 0 });
}

function byChannels(op: Op, convolution: Convolution, block: number): Value {
  const { filters, group, turned } = convolution;
  const offsets = offsetsOf(convolution);
  const blocks = Math.ceil(group / block);
  const missing = blocks * block - group;
  const flat = op.reshape(filters, [group, offsets.length]);
  const whole = missing === 0 ? flat : op.Pad(flat, op.ints([0, 0, missing, 0]));
  const rows = op.transpose(op.reshape(whole, [blocks, block, offsets.length]), [0, 2, 1]);
  return turned ? op.Gather(rows, op.constant(tensorOf('int32', offsets)), { axis: 1 }) : rows;
}

/** The numbers of a kernel's places, in the order in which they are read. */
function offsetsOf({ kernel, turned }: Convolution): readonly number[] {
  const offsets = range(elementCount(kernel));
  return turned ? offsets.reverse() : offsets;
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
