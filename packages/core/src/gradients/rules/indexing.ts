import { GradwareError } from '../../errors.js';
import { int, text, type Value } from '../../graph/value.js';
import { type GradientContext, rules } from '../rule.js';

/** Elements that are overwritten lose their gradient; what was written gets it. */
function scatter(
  { dy, x: [, indices, updates], attributes, node, op }: GradientContext,
  overwrite: (zeros: Value) => Value,
  pick: () => Value,
): readonly (Value | null)[] {
  const reduction = text(attributes, 'reduction', 'none');
  if (reduction !== 'none' && reduction !== 'add')
    throw new GradwareError(
      'NO_GRADIENT',
      `${node.opType} with reduction "${reduction}" has no gradient`,
      { where: `node ${node.name}, indices ${indices.name}` },
    );
  const data = reduction === 'add' ? dy : overwrite(op.filled(updates, 0));
  return [data, null, pick()];
}

export const indexing = rules({
  Gather: ({ dy, x: [x, indices], attributes, op }) => [
    op.GatherGrad(op.ints(x.shape), indices, dy, { axis: int(attributes, 'axis', 0) }),
  ],
  GatherElements: ({ dy, x: [x, indices], attributes, op }) => [
    op.GatherElementsGrad(dy, op.ints(x.shape), indices, { axis: int(attributes, 'axis', 0) }),
  ],
  GatherND: ({ dy, x: [x, indices], attributes, op }) => [
    op.GatherNDGrad(op.ints(x.shape), indices, dy, {
      batch_dims: int(attributes, 'batch_dims', 0),
    }),
  ],
  ScatterElements: (context) => {
    const { dy, x, attributes, op } = context;
    const axis = int(attributes, 'axis', 0);
    return scatter(
      context,
      (zeros) => op.ScatterElements(dy, x[1], zeros, { axis }),
      () => op.GatherElements(dy, x[1], { axis }),
    );
  },
  ScatterND: (context) => {
    const { dy, x, op } = context;
    return scatter(
      context,
      (zeros) => op.ScatterND(dy, x[1], zeros),
      () => op.GatherND(dy, x[1]),
    );
  },
  Slice: ({ dy, x: [x, ...bounds], node, op }) => [
    op.SliceGrad(dy, op.ints(x.shape), ...bounds.slice(0, node.inputs.length - 1)),
  ],
  TopK: ({ dy, x: [x], ys: [, indices], attributes, op }) => [
    op.GatherElementsGrad(dy, op.ints(x.shape), indices, { axis: int(attributes, 'axis', -1) }),
  ],
  Trilu: ({ dy, x: [, k], has, attributes, op }) => [
    op.Trilu(dy, has(1) ? k : null, { upper: int(attributes, 'upper', 1) }),
  ],
});
