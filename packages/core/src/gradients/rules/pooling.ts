import { GradwareError } from '../../errors.js';
import { windowOf } from '../../graph/shapes/compute.js';
import { elementCount, int, ints, type PlainAttributes } from '../../graph/value.js';
import { type GradientContext, rules } from '../rule.js';
import { explicitWindow } from './convolution.js';

function maxPool({ dy, ys, attributes, node, op }: GradientContext) {
  if (int(attributes, 'storage_order', 0) !== 0)
    throw new GradwareError('NO_GRADIENT', 'MaxPool with storage_order 1 has no gradient', {
      where: `node ${node.name}`,
      remedy: 'Export the model with storage_order 0.',
    });
  return [op.MaxPoolGrad(dy, ys[1])];
}

/** Attributes that ORT's own AveragePoolGrad does not know are written only where they say something. */
function unusual(attributes: PlainAttributes, ...names: readonly string[]): PlainAttributes {
  const kept = names.flatMap((name) => {
    const attribute = attributes[name];
    return attribute !== undefined && int(attributes, name, 0) !== 0 ? [[name, attribute]] : [];
  });
  return Object.fromEntries(kept) as PlainAttributes;
}

function averagePool({ dy, x: [x], attributes, emit }: GradientContext) {
  const kernel = ints(attributes, 'kernel_shape') ?? [];
  const window = windowOf(attributes, x.shape.slice(2), kernel);
  const { dilations, ...plain } = explicitWindow(window);
  return emit(
    'AveragePoolGrad',
    [dy],
    {
      ...plain,
      ...(window.dilations.some((d) => d !== 1) && dilations ? { dilations } : {}),
      ...unusual(attributes, 'ceil_mode', 'count_include_pad'),
    },
    { types: [x] },
  );
}

/** Equal maxima share the gradient equally, as they do in ReduceMax. */
function globalMaxPool({ dy, x: [x], y, op }: GradientContext) {
  const spatial = x.shape.map((_, axis) => axis).slice(2);
  const chosen = op.cast(op.Equal(x, y), x.type);
  return [op.Mul(chosen, op.Div(dy, op.sum(chosen, spatial, true)))];
}

export const pooling = rules({
  MaxPool: maxPool,
  // Where pools overlap, two may say one place: each is given its gradient, as in PyTorch.
  MaxUnpool: ({ dy, x: [, indices], op }) => [
    op.Gather(op.reshape(dy, [elementCount(dy.shape)]), indices, { axis: 0 }),
  ],
  AveragePool: averagePool,
  GlobalAveragePool: ({ dy, x: [x], op }) => [
    op.Expand(op.Div(dy, elementCount(x.shape.slice(2))), op.ints(x.shape)),
  ],
  GlobalMaxPool: globalMaxPool,
});
