import { GradwareError } from '../../errors.js';
import {
  byteLength,
  dataTypeOf,
  elementCount,
  elementTypes,
  type Place,
  refuse,
} from '../element-types.js';
import type { ExternalReader } from '../external-data.js';
import type { Table } from '../flatbuffers/table.js';
import type { DataType, TensorData } from '../ir.js';
import { tensorFromBytes } from '../tensor.js';

/** The element type that a Tensor table names.
 *  @throws GradwareError for an unknown one */
export function elementTypeOf(table: Table, place: Place): DataType {
  const code = table.int32('data_type') ?? 0;
  return dataTypeOf(code) ?? refuse(`A tensor has the unknown element type ${code}`, place);
}

/** The tensor in a Tensor table of ONNX Runtime's FlatBuffers. Values stay in the file where they lie aligned.
 *  @throws GradwareError for values that do not fit the shape, or lie in another file that is not at hand */
export function decodeTensorTable(
  table: Table,
  place: Place,
  external?: ExternalReader | undefined,
): TensorData {
  const type = elementTypeOf(table, place);
  const dims = table.int64s('dims').map(Number);
  if (elementTypes[type].array === undefined) {
    const data = table.strings('string_data');
    const count = elementCount(dims, place);
    return data.length === count
      ? { type, dims, data }
      : refuse(`A tensor of ${count} strings holds ${data.length}`, place);
  }
  const offset = Number(table.int64('external_data_offset') ?? -1n);
  if (offset < 0) return tensorFromBytes(type, dims, table.bytes('raw_data'), place);
  if (external === undefined) {
    throw new GradwareError(
      place.code ?? 'INVALID_DATA',
      'The values of this tensor lie in another file',
      {
        ...(place.where === undefined ? {} : { where: place.where }),
        remedy: 'Keep the ".data" file beside this one, and give both.',
      },
    );
  }
  const length = byteLength(type, dims, place);
  return tensorFromBytes(type, dims, external('.data', offset, length, place), place);
}
