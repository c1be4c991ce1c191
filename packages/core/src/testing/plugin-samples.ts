import type { TensorData } from '../onnx/ir.js';
import type { Tensors } from './runtime.js';
import { floats, sample } from './tensors.js';

export type Shapes = Readonly<Record<string, readonly number[]>>;

export const shapes: Shapes = {
  'layer.weight': [4, 3],
  'layer.bias': [5],
  'conv.weight': [2, 1, 3, 3],
  scale: [],
};
export const emptyShapes = { ...shapes, none: [0], 'no.rows': [0, 3] };

/** A tensor of sample numbers for every shape. */
export function sampled(
  of: Shapes,
  salt: number,
  change: (tensor: TensorData) => TensorData = (tensor) => tensor,
): Tensors {
  return new Map(
    Object.entries(of).map(([name, shape], i) => [name, change(sample(shape, salt + 31 * i))]),
  );
}

/** Every element becomes `value`. */
export const filledWith =
  (value: number) =>
  (tensor: TensorData): TensorData => ({
    ...tensor,
    data: floats(tensor).map(() => value),
  });

/** The last element becomes `value`. */
export const spoiledBy =
  (value: number) =>
  (tensor: TensorData): TensorData => ({
    ...tensor,
    data: floats(tensor).map((x, i, all) => (i === all.length - 1 ? value : x)),
  });
