import { elementTypes } from '../onnx/element-types.js';
import type { DataType, TensorData } from '../onnx/ir.js';
import { makeTensor, zeros } from '../onnx/tensor.js';

/** A tensor constant of any numeric type from plain numbers. */
export function tensorOf(
  type: DataType,
  values: readonly number[],
  dims: readonly number[] = [values.length],
): TensorData {
  return makeTensor(type, dims, values);
}

/** A tensor filled with one number. */
export function filled(type: DataType, shape: readonly number[], value: number): TensorData {
  const tensor = zeros(type, shape);
  if (value === 0 || !ArrayBuffer.isView(tensor.data)) return tensor;
  const one = tensorOf(type, [value]).data[0];
  // Every typed array fills with its own kind of number, which `one` is.
  (tensor.data as Float32Array).fill(one as number);
  return tensor;
}

/** The values of a number or bool constant as plain numbers; undefined for 16-bit floats, packed types and text. */
export function numbersOf({ type, data }: TensorData): number[] | undefined {
  const { array, bits } = elementTypes[type];
  const packed = bits < 8 || type.startsWith('float8') || type.startsWith('complex');
  if (array === undefined || packed || type === 'float16' || type === 'bfloat16') return undefined;
  return plainNumbers(data);
}

/** The elements of a constant as JavaScript counts: large integers are rounded, 16-bit floats stay bit patterns. */
export function plainNumbers(data: TensorData['data']): number[] {
  return Array.from(data as ArrayLike<number | bigint>, Number);
}
