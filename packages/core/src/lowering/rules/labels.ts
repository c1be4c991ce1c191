import { GradwareError } from '../../errors.js';
import type { Op } from '../../graph/builder.js';
import { tensorOf } from '../../graph/constants.js';
import type { Value } from '../../graph/value.js';
import type { Provider } from '../rule.js';

/** Class labels made safe to index with. */
export interface Labels {
  /** The labels, 0 where ignored. */
  readonly index: Value;
  /** Bool: false where ignored. */
  readonly valid: Value;
}

/** Far more classes than one would look up by table. */
const largestTable = 2 ** 20;

/** int64 integers in [-size, size) as int32, negative ones counted from the end, by looking them up: webgpu
 *  reads int64 as an index, but cannot compute with it. `missing` becomes -1. */
export function lookUpInt32(op: Op, indices: Value, size: number, missing?: number): Value {
  const below = missing !== undefined && missing < 0 ? -missing : 0;
  const length = Math.max(size, (missing ?? 0) + 1) + below;
  if (length > largestTable)
    throw new GradwareError('NO_LOWERING', `int64 labels up to ${length} cannot be used here`, {
      where: `value ${indices.name}`,
      remedy: 'Give the labels as int32, or use a smaller ignore_index.',
    });
  const table = Array.from({ length }, (_, i) => (i < size && i !== missing ? i : -1));
  return op.Gather(op.constant(tensorOf('int32', table)), indices);
}

/** Splits labels into an index and a mask. `ignored` is a number, or a 0-d value of the type of the labels. */
export function readLabels(
  op: Op,
  provider: Provider,
  labels: Value,
  classes: number,
  ignored: number | Value,
): Labels {
  const lookedUp =
    provider === 'webgpu' && labels.type === 'int64' && typeof ignored === 'number'
      ? lookUpInt32(op, labels, classes, ignored)
      : undefined;
  const plain = lookedUp ?? labels;
  const valid = op.Not(op.Equal(plain, lookedUp === undefined ? ignored : -1));
  return { index: op.Where(valid, plain, 0), valid };
}
