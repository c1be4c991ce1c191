import { transposedWindowOf, windowOf } from '../../graph/shapes/compute.js';
import { int, ints, type Value } from '../../graph/value.js';
import { type LoweringContext, lowerings } from '../rule.js';
import { spread } from './spread.js';

function withBias({ op, has, x }: LoweringContext, y: Value): Value {
  if (!has(2)) return y;
  const ones = y.shape.slice(2).map(() => 1);
  return op.Add(y, op.reshape(x[2], [y.shape[1] ?? 0, ...ones]));
}

/** A transposed convolution as the convolution of a spread image with flipped weights. */
function byConvolution(context: LoweringContext): Value {
  const { op, x, y, attributes } = context;
  const [image, w] = x;
  const [output, group] = [y[0].shape.slice(2), int(attributes, 'group', 1)];
  const [filters = 0, channels = 0, ...given] = w.shape;
  const kernel = ints(attributes, 'kernel_shape') ?? given;
  const window = transposedWindowOf(attributes, image.shape.slice(2), kernel, output);
  const { strides, dilations, pads } = window;
  const spatial = kernel.map((_, i) => i + 2);
  const back = kernel.map(() => -1);
  const far = kernel.map((k) => -k - 1);
  const flipped = op.Slice(w, op.ints(back), op.ints(far), op.ints(spatial), op.ints(back));
  const grouped = op.reshape(flipped, [group, filters / group, channels, ...kernel]);
  const exchanged = op.transpose(grouped, [0, 2, 1, ...kernel.map((_, i) => i + 3)]);
  const weights = op.reshape(exchanged, [group * channels, filters / group, ...kernel]);
  const stretched = spread(
    op,
    image,
    kernel.map((k, i) => {
      const margin = (dilations[i] ?? 1) * (k - 1);
      const size = (output[i] ?? 0) + margin;
      return { axis: i + 2, begin: margin - (pads[i] ?? 0), step: strides[i] ?? 1, size };
    }),
  );
  return withBias(context, op.Conv(stretched, weights, { kernel_shape: kernel, dilations, group }));
}

/** Each group by itself. */
function groupByGroup(context: LoweringContext): Value {
  const { op, x, attributes } = context;
  const [image, w] = x;
  const group = int(attributes, 'group', 1);
  const { output, ...window } = windowOf(attributes, image.shape.slice(2), w.shape.slice(2));
  const { kernel, strides, dilations, pads } = window;
  const [channels, filters] = [w.shape[1] ?? 0, (w.shape[0] ?? 0) / group];
  const parts = Array.from({ length: group }, (_, g) =>
    op.Conv(
      op.slice(image, 1, g * channels, (g + 1) * channels),
      op.slice(w, 0, g * filters, (g + 1) * filters),
      { kernel_shape: kernel, strides, dilations, pads },
    ),
  );
  return withBias(context, op.Concat(...parts, { axis: 1 }));
}

/** Threes of channels are computed wrongly where there is more than one three and filters come in fours: nought is added
 *  to make fours of both. */
function paddedChannels({ op, x, attributes, has }: LoweringContext): Value {
  const [image, w] = x;
  const missing = 4 - ((w.shape[1] ?? 0) % 4);
  const pad = (value: Value) => {
    const rest = value.shape.slice(2).map(() => 0);
    return op.Pad(value, op.ints([0, 0, ...rest, 0, missing, ...rest]));
  };
  const { output, ...window } = windowOf(attributes, image.shape.slice(2), w.shape.slice(2));
  const { kernel, strides, dilations, pads } = window;
  const given = { kernel_shape: kernel, strides, dilations, pads };
  return op.Conv(pad(image), pad(w), has(2) ? x[2] : null, given);
}

function hasThrees({ x: [image, w], attributes }: LoweringContext): boolean {
  const [filters = 0, channels = 0] = w.shape;
  const one = int(attributes, 'group', 1) === 1 && image.shape.length <= 4;
  return one && channels > 3 && channels % 3 === 0 && channels % 4 !== 0 && filters % 4 === 0;
}

/** Convolutions that webgpu's kernels refuse, or get wrong. */
export const webgpuConvolution = lowerings({
  Conv: (context) => {
    const { provider, x, attributes } = context;
    const refused = x[0].shape.length > 4 && int(attributes, 'group', 1) > 1;
    if (provider !== 'webgpu') return undefined;
    if (hasThrees(context)) return paddedChannels(context);
    return refused ? groupByGroup(context) : undefined;
  },
  // The kernel takes one output channel a group for one input channel a group.
  ConvTranspose: (context) => {
    const { provider, x, attributes } = context;
    const [image, w] = x;
    const group = int(attributes, 'group', 1);
    const wrong = group > 1 && w.shape[1] === 1 && image.shape[1] !== group;
    const refused = image.shape.length > 4;
    return provider === 'webgpu' && (wrong || refused) ? byConvolution(context) : undefined;
  },
});
