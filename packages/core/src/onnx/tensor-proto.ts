import { GradwareError } from '../errors.js';
import { dataTypeOf, elementCount, elementTypes, type Place, refuse } from './element-types.js';
import { type ExternalReader, externalReader } from './external-data.js';
import { onnx } from './generated/messages.js';
import { toInteger } from './integers.js';
import type { TensorData } from './ir.js';
import { countVarints, joinChunks, readVarints } from './packed.js';
import { knownTypes } from './remedies.js';
import { tensorBytes, tensorFromBytes } from './tensor.js';

export type TensorMessage = onnx.TensorProto.$Properties;

const utf8Decoder = new TextDecoder();
const utf8Encoder = new TextEncoder();

/** The text in a bytes field; ONNX says that it is UTF-8. */
export function decodeText(bytes: Uint8Array): string {
  return utf8Decoder.decode(bytes);
}

export function encodeText(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

/** A tensor from its ONNX message. Values that lie aligned in the file stay there (a view), others are copied once.
 *  @throws GradwareError INVALID_MODEL for values that do not fit the shape, UNSUPPORTED for types without a home,
 *  FILE for external data that cannot be had. */
export function decodeTensor(
  message: TensorMessage,
  where: string,
  external: ExternalReader = externalReader(undefined),
): TensorData {
  const place: Place = { code: 'INVALID_MODEL', where };
  if (message.segment != null) {
    throw new GradwareError('UNSUPPORTED', 'A tensor is stored in segments', {
      where,
      remedy: 'Load and save the model again with the onnx package.',
    });
  }
  const code = message.dataType ?? 0;
  const type = dataTypeOf(code);
  if (type === undefined) {
    throw new GradwareError('UNSUPPORTED', `A tensor has the unknown element type ${code}`, {
      where,
      remedy: knownTypes,
    });
  }
  const dims = (message.dims ?? []).map(toInteger);
  const count = elementCount(dims, place);
  if (message.dataLocation === onnx.TensorProto.DataLocation.EXTERNAL) {
    return tensorFromBytes(type, dims, readExternal(message, where, external), place);
  }
  if (type !== 'string' && message.rawData != null && Object.hasOwn(message, 'rawData')) {
    // An empty raw_data beside a filled value field is how some writers say "no raw_data".
    if (message.rawData.length > 0 || count === 0) {
      return tensorFromBytes(type, dims, message.rawData, place);
    }
  }
  const { field, array, bits } = elementTypes[type];
  const chunks = message[field] ?? [];
  if (array === undefined) {
    if (chunks.length !== count) {
      refuse(`A string tensor needs ${count} values, not ${chunks.length}`, place);
    }
    return { type, dims, data: chunks.map(decodeText) };
  }
  const bytes = joinChunks(chunks);
  if (field === 'floatData' || field === 'doubleData') {
    return tensorFromBytes(type, dims, bytes, place);
  }
  // 4-bit values lie in pairs in the low byte of an int32.
  const expected = Math.ceil((count * Math.min(bits, 8)) / 8);
  const found = countVarints(bytes);
  if (found !== expected) {
    refuse(
      `A ${type} tensor of shape [${dims.join(', ')}] needs ${expected} values, not ${found}`,
      place,
    );
  }
  const data = new array(expected);
  if (!readVarints(bytes, data)) refuse(`The values of a ${type} tensor are malformed`, place);
  return { type, dims, data };
}

function readExternal(message: TensorMessage, where: string, external: ExternalReader): Uint8Array {
  const place: Place = { code: 'INVALID_MODEL', where };
  const entries = new Map((message.externalData ?? []).map(({ key, value }) => [key, value ?? '']));
  const location = entries.get('location');
  if (location === undefined || location === '') {
    return refuse('External tensor data has no location', place);
  }
  const size = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    const value = Number(text);
    return /^\d+$/.test(text) && Number.isSafeInteger(value)
      ? value
      : refuse(`External tensor data has the ${key} "${text}"`, place);
  };
  return external(location, size('offset') ?? 0, size('length'), place);
}

/** The ONNX message of a tensor, without a copy of its values. */
export function encodeTensor(tensor: TensorData, name?: string): TensorMessage {
  const { type, dims, data } = tensor;
  return {
    ...(name === undefined ? {} : { name }),
    dims: [...dims],
    dataType: elementTypes[type].code,
    ...(ArrayBuffer.isView(data)
      ? { rawData: tensorBytes(tensor) }
      : { stringData: data.map(encodeText) }),
  };
}
