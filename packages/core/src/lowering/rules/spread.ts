import type { Op } from '../../graph/builder.js';
import type { Value } from '../../graph/value.js';

/** Where the elements of one axis go: element o to `begin + o * step`, of `size` places, the rest zeros.
 *  What falls outside is dropped. */
export interface Spread {
  readonly axis: number;
  readonly begin: number;
  readonly step: number;
  readonly size: number;
}

/** The transpose of a strided slice, by Pad and Reshape alone: no indices, exact, on every provider. */
export function spread(op: Op, value: Value, axes: readonly Spread[]): Value {
  const stuffed = stuffZeros(op, value, axes);
  const pads = stuffed.shape.map((length, axis) => {
    const given = axes.find((s) => s.axis === axis);
    return given === undefined ? [0, 0] : [given.begin, given.size - length - given.begin];
  });
  return padWith(op, stuffed, pads);
}

/** Pads (or crops, where negative) each axis by its [before, after]. */
export function padWith(
  op: Op,
  value: Value,
  pads: readonly (readonly number[])[],
  fill = 0,
): Value {
  if (pads.flat().every((pad) => pad === 0)) return value;
  const flat = [...pads.map(([before = 0]) => before), ...pads.map(([, after = 0]) => after)];
  return op.Pad(value, op.ints(flat), fill === 0 ? undefined : fill);
}

function stuffZeros(op: Op, value: Value, axes: readonly Spread[]): Value {
  const stepOf = (axis: number) => axes.find((s) => s.axis === axis)?.step ?? 1;
  if (value.shape.every((_, axis) => stepOf(axis) === 1)) return value;
  const paired = op.reshape(
    value,
    value.shape.flatMap((dim) => [dim, 1]),
  );
  const wide = padWith(
    op,
    paired,
    value.shape.flatMap((_, axis) => [
      [0, 0],
      [0, stepOf(axis) - 1],
    ]),
  );
  return op.reshape(
    wide,
    value.shape.map((dim, axis) => dim * stepOf(axis)),
  );
}
