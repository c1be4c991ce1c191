import { GradwareError } from '../errors.js';
import { elementCount, type Place, refuse } from './element-types.js';
import type { onnx } from './generated/messages.js';
import { toInteger } from './integers.js';
import type { TensorData, TypedArray } from './ir.js';
import { zeros } from './tensor.js';
import { decodeTensor, type ExternalData } from './tensor-proto.js';

/** A sparse tensor may be much larger than its file; beyond this it is refused rather than written out. */
const maxDenseElements = 2 ** 28;

/** A sparse tensor written out in full. Its indices are linear ([n]) or coordinates ([n, rank]).
 *  @throws GradwareError INVALID_MODEL for indices that are out of range, UNSUPPORTED for one too large. */
export function decodeSparseTensor(
  message: onnx.SparseTensorProto.$Properties,
  where: string,
  externalData?: ExternalData,
): TensorData {
  const place: Place = { code: 'INVALID_MODEL', where };
  const dims = (message.dims ?? []).map(toInteger);
  const count = elementCount(dims, place);
  if (message.values == null || message.indices == null) {
    return refuse('A sparse tensor lacks its values or indices', place);
  }
  if (count > maxDenseElements) {
    throw new GradwareError('UNSUPPORTED', `A sparse tensor of ${count} values is too large`, {
      where,
      remedy: 'Save the model with dense weights.',
    });
  }
  const values = decodeTensor(message.values, where, externalData);
  const indices = decodeTensor(message.indices, where, externalData);
  const stored = values.data.length;
  const byCoordinates = indices.dims.length === 2;
  const width = byCoordinates ? dims.length : 1;
  if (indices.type !== 'int64' || indices.data.length !== stored * width) {
    return refuse(`A sparse tensor of ${stored} values has indices of another number`, place);
  }
  if (!ArrayBuffer.isView(values.data)) return refuse('A sparse tensor holds strings', place);
  const dense = zeros(values.type, dims);
  const target = dense.data as TypedArray;
  if (target.length !== count) return refuse(`A sparse tensor holds ${values.type}`, place);
  const coordinates = Array.from(indices.data, Number);
  for (let i = 0; i < stored; i++) {
    const tuple = coordinates.slice(i * width, (i + 1) * width);
    const bounds = byCoordinates ? dims : [count];
    if (tuple.some((at, axis) => !(at >= 0 && at < (bounds[axis] ?? 0)))) {
      return refuse(`A sparse tensor has the index [${tuple.join(', ')}]`, place);
    }
    const offset = tuple.reduce((sum, at, axis) => sum * (bounds[axis] ?? 0) + at, 0);
    target.set(values.data.subarray(i, i + 1) as never, offset);
  }
  return dense;
}
