import { elementCount } from '../graph/value.js';
import type { TensorData } from '../onnx/ir.js';

/** A tensor as tests write it: a number, a list (one dimension), or data with its shape. */
export type TensorLike =
  | number
  | readonly number[]
  | { readonly dims: readonly number[]; readonly data: ArrayLike<number> };

/** A float32 tensor from what a test wrote. */
export function float32(given: TensorLike): TensorData {
  if (typeof given === 'number') return { type: 'float32', dims: [], data: Float32Array.of(given) };
  if ('dims' in given)
    return { type: 'float32', dims: given.dims, data: Float32Array.from(given.data) };
  return { type: 'float32', dims: [given.length], data: Float32Array.from(given) };
}

/** The numbers of a tensor; its own memory where they are float32. */
export function floats({ data }: TensorData): Float32Array {
  return data instanceof Float32Array ? data : Float32Array.from(data as ArrayLike<number>, Number);
}

/** The same numbers for the same shape and salt, in [-scale, scale), different from step to step. */
export function sample(shape: readonly number[], salt: number, scale = 1): TensorData {
  let bits = (salt * 0x9e3779b1 + 0x85ebca6b) >>> 0;
  const data = Float32Array.from({ length: elementCount(shape) }, () => {
    bits = (Math.imul(bits ^ (bits >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    bits = (bits ^ (bits >>> 13)) >>> 0;
    return (bits / 2 ** 31 - 1) * scale;
  });
  return { type: 'float32', dims: shape, data };
}

type Equal = (a: unknown, b: unknown) => boolean;

/** The same number, NaN too; 0 is not -0. */
export const sameBit: Equal = Object.is;
/** The same number, NaN too; 0 and -0 are one. */
export const sameNumber: Equal = (a, b) => a === b || (Number.isNaN(a) && Number.isNaN(b));

/** Whether two tensors have the same type, shape and numbers. */
export function sameTensor(a: TensorData, b: TensorData, equal: Equal = sameBit): boolean {
  if (a.type !== b.type || `${a.dims}` !== `${b.dims}`) return false;
  const [x, y] = [a.data, b.data];
  return (
    x.length === y.length && Array.from(x as ArrayLike<unknown>).every((v, i) => equal(v, y[i]))
  );
}
