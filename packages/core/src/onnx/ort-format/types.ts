import { GradwareError } from '../../errors.js';
import { dataTypeOf } from '../element-types.js';
import type { Table } from '../flatbuffers/table.js';
import type { DataType, Dim, ValueInfo } from '../ir.js';
import { convertAgain } from '../remedies.js';
import { typeTags } from './schema.js';

/** What an .ort file says of a value.
 *  @throws GradwareError INVALID_MODEL for a nameless value or a negative size, UNSUPPORTED for an unknown type */
export function decodeValueTable(table: Table, where: string): ValueInfo {
  const name = table.string('name') ?? '';
  if (name === '')
    throw new GradwareError('INVALID_MODEL', 'A value has no name', {
      where,
      remedy: convertAgain,
    });
  const place = `${where}, value "${name}"`;
  return { name, ...decodeType(table.table('type'), place) };
}

type ValueType = Pick<ValueInfo, 'type' | 'element' | 'shape'>;

function decodeType(info: Table | undefined, where: string): ValueType {
  const tag = info?.uint8('value_type') ?? 0;
  const value = info?.variant('value', tag);
  if (value === undefined) return {};
  if (tag === typeTags.map) return { type: 'map' };
  if (tag === typeTags.tensor) {
    const shape = decodeShape(value, where);
    const type = decodeElement(value, where);
    return type === undefined ? { shape } : { type, shape };
  }
  const content = value.table('elem_type');
  const element =
    content?.uint8('value_type') === typeTags.tensor
      ? content.variant('value', typeTags.tensor)
      : undefined;
  if (element === undefined) return { type: 'sequence' };
  return {
    type: 'sequence',
    element: decodeElement(element, where),
    shape: decodeShape(element, where),
  };
}

function decodeElement(tensor: Table, where: string): DataType | undefined {
  const code = tensor.int32('elem_type') ?? 0;
  if (code === 0) return undefined;
  const element = dataTypeOf(code);
  if (element !== undefined) return element;
  throw new GradwareError('UNSUPPORTED', `A value has the unknown element type ${code}`, {
    where,
    remedy: convertAgain,
  });
}

const dimensionKinds = { value: 1, name: 2 } as const;

function decodeShape(tensor: Table, where: string): readonly Dim[] | undefined {
  return tensor
    .table('shape')
    ?.tables('dim')
    .map((dimension): Dim => {
      const value = dimension.table('value');
      const kind = value?.uint8('dim_type');
      if (kind === dimensionKinds.name) return value?.string('dim_param') || null;
      if (kind !== dimensionKinds.value) return null;
      const size = Number(value?.int64('dim_value') ?? 0n);
      if (Number.isSafeInteger(size) && size >= 0) return size;
      if (size === -1) return null;
      throw new GradwareError('INVALID_MODEL', `A value has the dimension ${size}`, {
        where,
        remedy: convertAgain,
      });
    });
}
