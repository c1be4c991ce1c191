import type { Node } from '../../onnx/ir.js';
import { elementCount, type TensorType } from '../value.js';

/** The most elements a folded constant may have: shapes, axes and bounds, never weights. */
export const foldLimit = 4096;

/** A constant input: its numbers in row-major order. */
export interface Folded {
  readonly values: readonly number[];
  readonly shape: readonly number[];
}

/** What a rule sees of the node whose output it computes. */
export interface FoldContext {
  readonly node: Node;
  /** Which of the outputs is wanted, and its shape. */
  readonly at: number;
  readonly shape: readonly number[];
  /** Input i where it is constant. */
  x(i: number): Folded | undefined;
  /** Type and shape of input i, constant or not. */
  typeOf(i: number): TensorType | undefined;
  /** Shape of output i. */
  shapeOf(i: number): readonly number[] | undefined;
}

/** The numbers of the wanted output in row-major order; undefined where they do not follow from constants. */
export type FoldRule = (context: FoldContext) => readonly number[] | undefined;

/** Row-major strides: how far apart neighbours along each axis lie. */
function stridesOf(shape: readonly number[]): readonly number[] {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--)
    strides[axis] = (strides[axis + 1] ?? 1) * (shape[axis + 1] ?? 1);
  return strides;
}

/** Calls back for every position of a shape, in row-major order. */
export function mapPositions<Result>(
  shape: readonly number[],
  apply: (position: readonly number[]) => Result,
): readonly Result[] {
  const count = elementCount(shape);
  const strides = stridesOf(shape);
  return Array.from({ length: count }, (_, flat) =>
    apply(shape.map((dim, axis) => Math.floor(flat / (strides[axis] ?? 1)) % dim)),
  );
}

/** Where a position lies in row-major order. */
export function flatten(position: readonly number[], shape: readonly number[]): number {
  return stridesOf(shape).reduce((sum, stride, axis) => sum + stride * (position[axis] ?? 0), 0);
}
