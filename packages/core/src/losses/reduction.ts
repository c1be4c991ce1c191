import type { Op } from '../graph/builder.js';
import type { Value } from '../graph/value.js';
import { constant, oneOf } from '../options/options.js';

type Reduction = 'mean' | 'sum';

export const reduction = constant<Reduction>(
  oneOf('mean', 'sum'),
  'mean',
  'how the losses of the elements become one number',
);

/** One number from the loss of every element. */
export function reduce(op: Op, losses: Value, how: Reduction): Value {
  return how === 'sum' ? op.sum(losses) : op.mean(losses);
}
