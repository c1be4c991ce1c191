import { GradwareError } from '../errors.js';
import { byteLength, elementCount, type Place, refuse } from './element-types.js';
import type { ExternalReader } from './external-data.js';
import type { onnx } from './generated/messages.js';
import { toInteger } from './integers.js';
import type { TensorData, TypedArray } from './ir.js';
import { tensorBytes, zeros } from './tensor.js';
import { decodeTensor } from './tensor-proto.js';

/** A sparse tensor may be much larger than its file; beyond this it is refused rather than written out. */
const maxDenseBytes = 2 ** 30;

/** Many small ones may not come to much more than the file either: a thousandth of the values is there. */
const maxGrowth = 1024;
const alwaysDense = 2 ** 16;

/** A sparse tensor written out in full. Its indices are linear ([n]) or coordinates ([n, rank]).
 *  @throws GradwareError INVALID_MODEL for indices that are out of range, UNSUPPORTED for one too large. */
export function decodeSparseTensor(
  message: onnx.SparseTensorProto.$Properties,
  where: string,
  external?: ExternalReader,
): TensorData {
  const decode = (tensor: onnx.TensorProto.$Properties | null | undefined) =>
    tensor == null ? undefined : decodeTensor(tensor, where, external);
  const dims = (message.dims ?? []).map(toInteger);
  return denseTensor(dims, decode(message.values), decode(message.indices), where);
}

/** The dense form of a sparse tensor.
 *  @throws GradwareError INVALID_MODEL for indices that are out of range, UNSUPPORTED for one too large. */
export function denseTensor(
  dims: readonly number[],
  values: TensorData | undefined,
  indices: TensorData | undefined,
  where: string,
): TensorData {
  const place: Place = { code: 'INVALID_MODEL', where };
  const count = elementCount(dims, place);
  if (values === undefined || indices === undefined) {
    return refuse('A sparse tensor lacks its values or indices', place);
  }
  const stored = values.data.length;
  const byCoordinates = indices.dims.length === 2;
  const width = byCoordinates ? dims.length : 1;
  if (indices.type !== 'int64' || indices.data.length !== stored * width) {
    return refuse(`A sparse tensor of ${stored} values has indices of another number`, place);
  }
  if (!ArrayBuffer.isView(values.data)) return refuse('A sparse tensor holds strings', place);
  const grown = alwaysDense + maxGrowth * tensorBytes(values).byteLength;
  if (byteLength(values.type, dims, place) > Math.min(maxDenseBytes, grown)) {
    throw new GradwareError('UNSUPPORTED', `A sparse tensor of ${count} values is too large`, {
      where,
      remedy: 'Save the model with dense weights.',
    });
  }
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
