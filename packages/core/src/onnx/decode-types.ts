import { GradwareError } from '../errors.js';
import { dataTypeOf } from './element-types.js';
import type { onnx } from './generated/messages.js';
import { toInteger } from './integers.js';
import type { DataType, Dim, ValueInfo } from './ir.js';
import { exportAgain, knownTypes } from './remedies.js';

/** What the file says of a value.
 *  @throws GradwareError INVALID_MODEL for a value without a name, UNSUPPORTED for an unknown element type. */
export function decodeValueInfo(
  message: onnx.ValueInfoProto.$Properties,
  where: string,
): ValueInfo {
  const name = message.name ?? '';
  const place = `${where}, value "${name}"`;
  if (name === '') {
    throw new GradwareError('INVALID_MODEL', 'A value has no name', {
      where,
      remedy: exportAgain,
    });
  }
  return { name, ...decodeType(message.type ?? {}, place) };
}

type ValueType = Pick<ValueInfo, 'type' | 'element' | 'map' | 'shape'>;

function decodeType(type: onnx.TypeProto.$Properties, where: string): ValueType {
  if (type.sequenceType != null) return container('sequence', type.sequenceType.elemType, where);
  if (type.optionalType != null) return container('optional', type.optionalType.elemType, where);
  if (type.mapType != null) return { type: 'map', ...mapOf(type.mapType, where) };
  if (type.sparseTensorType != null) {
    return { type: 'sparse', shape: decodeShape(type.sparseTensorType.shape, where) };
  }
  const shape = decodeShape(type.tensorType?.shape, where);
  const element = decodeElement(type.tensorType?.elemType, where);
  return element === undefined ? { shape } : { type: element, shape };
}

function container(
  type: 'sequence' | 'optional',
  content: onnx.TypeProto.$Properties | null | undefined,
  where: string,
): ValueType {
  const tensor = content?.tensorType;
  if (content?.mapType != null) return { type, ...mapOf(content.mapType, where) };
  if (tensor == null) return { type };
  return {
    type,
    element: decodeElement(tensor.elemType, where),
    shape: decodeShape(tensor.shape, where),
  };
}

function mapOf(
  { keyType, valueType }: onnx.TypeProto.Map.$Properties,
  where: string,
): Pick<ValueInfo, 'map'> {
  const key = decodeElement(keyType, where);
  const value = decodeElement(valueType?.tensorType?.elemType, where);
  return key === undefined || value === undefined ? {} : { map: { key, value } };
}

function decodeElement(code: number | null | undefined, where: string): DataType | undefined {
  if (code == null || code === 0) return undefined;
  const element = dataTypeOf(code);
  if (element !== undefined) return element;
  throw new GradwareError('UNSUPPORTED', `A value has the unknown element type ${code}`, {
    where,
    remedy: knownTypes,
  });
}

function decodeShape(
  shape: onnx.TensorShapeProto.$Properties | null | undefined,
  where: string,
): readonly Dim[] | undefined {
  if (shape == null) return undefined;
  return (shape.dim ?? []).map((dim): Dim => {
    if (dim.dimParam) return dim.dimParam;
    if (dim.dimValue == null || !Object.hasOwn(dim, 'dimValue')) return null;
    const size = toInteger(dim.dimValue);
    if (size >= 0) return size;
    // Some exporters write -1 for "unknown"; anything else is damage.
    if (size === -1) return null;
    throw new GradwareError('INVALID_MODEL', `A value has the dimension ${size}`, {
      where,
      remedy: exportAgain,
    });
  });
}
