import type { Op } from '../builder.js';
import { normalizeAxis, type Value } from '../value.js';

/** Tensors of one shape, side by side along a new axis. */
export function stacked(op: Op, rows: readonly Value[], at = 0): Value {
  const rank = (rows[0]?.shape.length ?? 0) + 1;
  const axis = normalizeAxis(at, rank);
  const wide = rows.map((row) =>
    op.reshape(row, [...row.shape.slice(0, axis), 1, ...row.shape.slice(axis)]),
  );
  return wide.length === 1 ? (wide[0] as Value) : op.Concat(...wide, { axis });
}

/** The rows of a tensor along an axis, without that axis. */
export function unstacked(op: Op, value: Value, at = 0): readonly Value[] {
  const axis = normalizeAxis(at, value.shape.length);
  const length = value.shape[axis] ?? 0;
  if (length === 0) return [];
  const parts = length === 1 ? [value] : op.Split(value, { axis, num_outputs: length });
  const shape = value.shape.filter((_, a) => a !== axis);
  return parts.map((part) => op.reshape(part, shape));
}
