import { int } from '../../graph/value.js';
import { rules } from '../rule.js';

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
  // It turns back what it turned.
  ReverseSequence: ({ dy, x: [, lengths], attributes, op }) => [
    op.ReverseSequence(dy, lengths, {
      batch_axis: int(attributes, 'batch_axis', 1),
      time_axis: int(attributes, 'time_axis', 0),
    }),
  ],
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
