import type { Tensor as AnyTensor, TensorConstructor, TypedTensor } from 'onnxruntime-common';
import { GradwareError } from '../errors.js';
import type { DataType, TensorData } from '../onnx/ir.js';
import { copyTensor } from '../onnx/tensor.js';

/** Element types that a tensor at the border of ONNX Runtime can have. */
const borderTypes: ReadonlySet<DataType> = new Set([
  'float32',
  'float64',
  'float16',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'bool',
  'string',
]);

/** Hands a tensor to ONNX Runtime, without a copy. */
export function toTensor(Tensor: TensorConstructor, { type, data, dims }: TensorData): AnyTensor {
  if (!borderTypes.has(type))
    throw new GradwareError(
      'UNSUPPORTED',
      `Tensors of type ${type} cannot be fed to ONNX Runtime`,
      {
        remedy: 'Cast inside of the model.',
      },
    );
  return new Tensor(type as 'float32', data as Float32Array, dims);
}

/** Takes a tensor from ONNX Runtime, without a copy. It must lie on the CPU. */
export function fromTensor(tensor: AnyTensor): TensorData {
  const { type, data, dims } = tensor as TypedTensor<'float32'>;
  return { type, data, dims };
}

/** A tensor with data of its own, from one that lies on the CPU. */
export function copyOf(Tensor: TensorConstructor, tensor: AnyTensor): AnyTensor {
  return toTensor(Tensor, copyTensor(fromTensor(tensor)));
}
