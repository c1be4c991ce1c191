import type { Node, TensorData } from '../../../onnx/ir.js';
import type { Call, Slot } from './notes.js';

/** A parameter as PyTorch has it, from what one of its calls takes. */
export interface Original {
  readonly tensor: TensorData;
  /** The node that makes of it what the call takes, if it does not take it as it is. */
  readonly form?: Pick<Node, 'opType' | 'attributes'> & { readonly shape?: readonly number[] };
}

/** Whether two tensors hold the same numbers in the same shape. */
export const isSame = (a: TensorData, b: TensorData): boolean =>
  a === b ||
  (a.type === b.type &&
    `${a.dims}` === `${b.dims}` &&
    (a.data as Float32Array).every((value, i) => value === b.data[i]));

function transposed({ type, dims: [rows = 0, columns = 0], data }: TensorData): TensorData {
  const from = data as Float32Array;
  const to = from.slice();
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) to[j * rows + i] = from[i * columns + j] as number;
  return { type, dims: [columns, rows], data: to };
}

/** The exporter transposes the weights of products, and gives axes to those of GroupNorm and PReLU, before it writes them. */
export function originalOf({ target }: Call, { node, i }: Slot, tensor: TensorData): Original {
  const { dims } = tensor;
  if (target === 'linear' && node.opType === 'MatMul' && i === 1 && dims.length === 2) {
    const attributes = { perm: { type: 'ints', value: [1, 0] } } as const;
    return { tensor: transposed(tensor), form: { opType: 'Transpose', attributes } };
  }
  if ((target === 'group_norm' || target === 'prelu') && dims.length > 1) {
    const flat = { ...tensor, dims: [tensor.data.length] };
    return { tensor: flat, form: { opType: 'Reshape', attributes: {}, shape: dims } };
  }
  return { tensor };
}
