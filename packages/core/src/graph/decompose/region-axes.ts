import { tensorOf } from '../constants.js';
import { float, type Value } from '../value.js';
import type { FormContext } from './decomposition.js';

/** One axis of regions of interest. */
export interface Axis {
  /** Where regions begin, and how long they are, in pixels: [regions, 1, 1]. */
  readonly start: Value;
  readonly length: Value;
  /** How many bins a region has, and pixels the image. */
  readonly bins: number;
  readonly size: number;
}

/** Column i of a table of regions, from 0 on: [regions, 1, 1]. */
function column({ op }: FormContext, table: Value, i: number): Value {
  return op.reshape(op.slice(table, 1, i, i + 1), [table.shape[0] ?? 0, 1, 1]);
}

/** 0, 1, 2, ... along the last axis of three, or another. */
export function counting({ op }: FormContext, like: Value, count: number, axis = 2): Value {
  const shape = Array<number>(Math.max(3, axis + 1))
    .fill(1)
    .with(axis, count);
  return op.constant(tensorOf(like.type, [...Array(count).keys()], shape));
}

/** Regions reach from the first place to the second of (x1, y1, x2, y2), which begin at a column. */
export function axesOf(
  context: FormContext,
  table: Value,
  from: number,
  bins: readonly number[],
  measure: (start: Value, end: Value) => Pick<Axis, 'start' | 'length'>,
): readonly [Axis, Axis] {
  const scale = float(context.attributes, 'spatial_scale', 1);
  const sizes = context.x[0].shape.slice(2);
  const [rows, columns] = [0, 1].map((axis): Axis => {
    const [start, end] = [0, 2].map((far) =>
      context.op.Mul(column(context, table, from + 1 - axis + far), scale),
    ) as [Value, Value];
    return { ...measure(start, end), bins: bins[axis] ?? 1, size: sizes[axis] ?? 1 };
  }) as [Axis, Axis];
  return [rows, columns];
}

/** The images by number, and that of each region: int32, looked up, as webgpu cannot cast what is int64. */
export function imagesOf({ op, x }: FormContext) {
  const [image, , batches] = x;
  const numbers = op.constant(tensorOf('int32', [...Array(image.shape[0] ?? 0).keys()]));
  return { numbers, own: op.Gather(numbers, batches) };
}
