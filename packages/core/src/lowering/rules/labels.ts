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

/** How far from the classes an ignored label may be that is known at run time only. */
export const runTimeReach = 2 ** 16;

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

/** int64 integers in [-size, size) as int32 in [0, size), negative ones counted from the end. */
export function wrapInt32(op: Op, indices: Value, size: number): Value {
  const [start, end, step] = [0, size, 1].map((n) => op.scalar(n, 'int32'));
  return op.Gather(op.Range(start, end, step), indices);
}

/** int64 integers in [-below, above) as int32. */
export function signedInt32(op: Op, integers: Value, below: number, above: number): Value {
  const place = wrapInt32(op, integers, above + below);
  return op.Where(op.Less(place, above), place, op.Sub(place, above + below));
}

/** Splits labels into an index and a mask. `ignored` is a number, or an integer of one element. */
export function readLabels(
  op: Op,
  provider: Provider,
  labels: Value,
  classes: number,
  ignored: number | Value,
): Labels {
  const wide = (value: Value) => provider === 'webgpu' && value.type === 'int64';
  if (typeof ignored === 'number') {
    return wide(labels)
      ? split(op, lookUpInt32(op, labels, classes, ignored), -1)
      : split(op, labels, ignored);
  }
  const int32Of = (value: Value) => signedInt32(op, value, runTimeReach, classes + runTimeReach);
  const plain = wide(labels) ? int32Of(labels) : labels;
  const skipped = wide(ignored) ? int32Of(ignored) : ignored;
  return split(op, plain, op.cast(op.reshape(skipped, []), plain.type));
}

function split(op: Op, labels: Value, ignored: number | Value): Labels {
  const valid = op.Not(op.Equal(labels, ignored));
  return { index: op.Where(valid, labels, 0), valid };
}
