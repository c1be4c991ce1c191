import { int, type TensorType, text } from '../value.js';
import { input, type ShapeContext, type ShapeRule } from './rule.js';

/** Y [steps, directions, batch, hidden], then the last states [directions, batch, hidden]; with layout 1 the batch
 *  comes first. */
function recurrent(states: number) {
  return (context: ShapeContext): readonly TensorType[] => {
    const { type, shape } = input(context, 0);
    const batchFirst = int(context.attributes, 'layout', 0) === 1;
    const [first = 0, second = 0] = shape;
    const [length, batch] = batchFirst ? [second, first] : [first, second];
    const hidden = input(context, 2).shape[2] ?? 0;
    const ways = text(context.attributes, 'direction', 'forward') === 'bidirectional' ? 2 : 1;
    const y = batchFirst ? [batch, length, ways, hidden] : [length, ways, batch, hidden];
    const last = batchFirst ? [batch, ways, hidden] : [ways, batch, hidden];
    return [
      { type, shape: y },
      ...Array.from({ length: states }, (): TensorType => ({ type, shape: last })),
    ];
  };
}

export const recurrentShapes = {
  RNN: recurrent(1),
  GRU: recurrent(1),
  LSTM: recurrent(2),
} satisfies Record<string, ShapeRule>;
