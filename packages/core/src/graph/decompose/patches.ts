import { GradwareError } from '../../errors.js';
import { tensorOf } from '../constants.js';
import { windowOf } from '../shapes/compute.js';
import { elementCount, ints, normalizeAxis, type Value } from '../value.js';
import { decompositions, type FormContext } from './decomposition.js';

/** @throws GradwareError NO_GRADIENT for an input whose numbers have to be known */
export function known({ constant, node }: FormContext, i: number): readonly number[] {
  const numbers = constant(i);
  if (numbers !== undefined) return numbers;
  throw new GradwareError(
    'NO_GRADIENT',
    `The gradient of ${node.opType} needs input ${i} to be a constant`,
    {
      where: `node ${node.name}, input ${node.inputs[i] || i}`,
      remedy: 'Export the model with constant shapes.',
    },
  );
}

/** A Pad that takes away what it does not add; of an odd number, one more at the end. */
function centerCropPad(context: FormContext): readonly Value[] {
  const { op, x, attributes } = context;
  const [data] = x;
  const rank = data.shape.length;
  const axes = (ints(attributes, 'axes') ?? [...data.shape.keys()]).map((axis) =>
    normalizeAxis(axis, rank),
  );
  const target = known(context, 1);
  const begin = data.shape.map(() => 0);
  const end = data.shape.map(() => 0);
  axes.forEach((axis, i) => {
    const missing = (target[i] ?? 0) - (data.shape[axis] ?? 0);
    begin[axis] = Math.trunc(missing / 2);
    end[axis] = missing - Math.trunc(missing / 2);
  });
  return [op.Pad(data, op.ints([...begin, ...end]))];
}

/** Blocks are added up where they lie: a transposed convolution whose filters pick one element each. */
function col2Im(context: FormContext): readonly Value[] {
  const { op, x, attributes } = context;
  const [data] = x;
  const [image, block] = [known(context, 1), known(context, 2)];
  const { strides, dilations, pads, output } = windowOf(attributes, image, block);
  const size = elementCount(block);
  const [batch = 0, columns = 0] = data.shape;
  const channels = columns / size;
  const filters = Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
  const rest = image.map((dim, i) => {
    const extent = (dilations[i] ?? 1) * ((block[i] ?? 1) - 1) + 1;
    const reach = (strides[i] ?? 1) * ((output[i] ?? 1) - 1) + extent;
    return dim + (pads[i] ?? 0) + (pads[i + image.length] ?? 0) - reach;
  });
  const planes = op.ConvTranspose(
    op.reshape(data, [batch * channels, size, ...output]),
    op.constant(tensorOf(data.type, filters, [size, 1, ...block])),
    { kernel_shape: block, strides, dilations, pads, output_padding: rest },
  );
  return [op.reshape(planes, [batch, channels, ...image])];
}

export const patches = decompositions({
  CenterCropPad: centerCropPad,
  Col2Im: col2Im,
});
