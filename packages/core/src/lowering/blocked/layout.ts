import { blockedDomain } from '../../graph/dialect.js';
import type { Window } from '../../graph/shapes/compute.js';
import { toAttributes, type Value } from '../../graph/value.js';
import type { LoweringContext } from '../rule.js';

/** How channels lie. */
export interface Layout {
  /** Channels of a block. */
  readonly block: number;
  /** An image with its channels in blocks. */
  readonly blocks: (image: Value) => Value;
}

type Emitter = Pick<LoweringContext, 'emit'>;

/** [batch, channels, height, width] with channels in blocks, those of a block beside each other:
 *  [batch, blocks, height, width, block]. A last block is filled with zeros, where there are fours of channels. The shape
 *  that it is said to have is [batch, blocks * block, height, width]. */
function toBlocks({ emit }: Emitter, image: Value, block: number): Value {
  const { type, shape } = image;
  const [batch = 0, channels = 0, ...spatial] = shape;
  const whole = Math.ceil(channels / block) * block;
  const types = [{ type, shape: [batch, whole, ...spatial] }];
  const [blocks] = emit('ReorderInput', [image], {}, { domain: blockedDomain, types });
  return blocks as Value;
}

/** The same, once for every image. */
export function blocksOf(context: Emitter, block: number): (image: Value) => Value {
  const known = new Map<string, Value>();
  return (image) => {
    const blocks = known.get(image.name) ?? toBlocks(context, image, block);
    known.set(image.name, blocks);
    return blocks;
  };
}

/** The usual layout again, with so many channels. */
export function fromBlocks({ emit }: Emitter, blocks: Value, channels: number): Value {
  const { type, shape } = blocks;
  const [batch = 0, , ...spatial] = shape;
  const types = [{ type, shape: [batch, channels, ...spatial] }];
  const attributes = toAttributes({ channels });
  const [image] = emit('ReorderOutput', [blocks], attributes, { domain: blockedDomain, types });
  return image as Value;
}

/** A convolution of an image in blocks, or of one with fewer channels than a block as it is, with filters arranged for
 *  it; what comes out lies in blocks. */
export function convolveBlocks(
  { emit }: Emitter,
  [image, filters, bias]: readonly [image: Value, filters: Value, bias?: Value | undefined],
  { kernel, strides, dilations, pads, output }: Window,
  group: number,
): Value {
  const { type, shape } = image;
  const types = [{ type, shape: [shape[0] ?? 0, filters.shape[0] ?? 0, ...output] }];
  const attributes = toAttributes({ kernel_shape: kernel, strides, dilations, pads, group });
  const [y] = emit('Conv', [image, filters, bias], attributes, { domain: blockedDomain, types });
  return y as Value;
}

/** One spatial axis as the second of two. */
export function asPlane(window: Window): Window {
  const { kernel, strides, dilations, pads, output } = window;
  if (kernel.length !== 1) return window;
  const [before = 0, after = 0] = pads;
  return {
    kernel: [1, ...kernel],
    strides: [1, ...strides],
    dilations: [1, ...dilations],
    pads: [0, before, 0, after],
    output: [1, ...output],
  };
}

/** The shape of an image of one spatial axis as one of two. */
export function planeShape(shape: readonly number[]): readonly number[] {
  const [batch = 0, channels = 0, ...spatial] = shape;
  return spatial.length === 1 ? [batch, channels, 1, ...spatial] : shape;
}
