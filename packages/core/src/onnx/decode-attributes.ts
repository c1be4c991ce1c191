import { GradwareError } from '../errors.js';
import { refuse } from './element-types.js';
import type { ExternalReader } from './external-data.js';
import { onnx } from './generated/messages.js';
import { toInteger } from './integers.js';
import type { Attribute, Graph } from './ir.js';
import { decodeSparseTensor } from './sparse.js';
import { decodeTensor, decodeText } from './tensor-proto.js';

export type AttributeMessage = onnx.AttributeProto.$Properties;
type GraphMessage = onnx.GraphProto.$Properties;

/** What decoding an attribute needs of its surroundings. */
export interface AttributeContext {
  readonly external: ExternalReader;
  readonly decodeGraph: (message: GraphMessage, where: string) => Graph;
}

type Decoder = (message: AttributeMessage, where: string, context: AttributeContext) => Attribute;

const { AttributeType } = onnx.AttributeProto;

const missing = (where: string): never =>
  refuse('An attribute has no value', { code: 'INVALID_MODEL', where });

const decoders: ReadonlyMap<number, Decoder> = new Map<number, Decoder>([
  [AttributeType.FLOAT, ({ f }) => ({ type: 'float', value: f ?? 0 })],
  [AttributeType.INT, ({ i }) => ({ type: 'int', value: toInteger(i ?? 0) })],
  [AttributeType.STRING, ({ s }) => ({ type: 'string', value: s == null ? '' : decodeText(s) })],
  [
    AttributeType.TENSOR,
    ({ t }, where, { external }) => ({
      type: 'tensor',
      value: decodeTensor(t ?? missing(where), where, external),
    }),
  ],
  [
    AttributeType.GRAPH,
    ({ g }, where, { decodeGraph }) => ({
      type: 'graph',
      value: decodeGraph(g ?? missing(where), where),
    }),
  ],
  [AttributeType.FLOATS, ({ floats }) => ({ type: 'floats', value: floats ?? [] })],
  [AttributeType.INTS, ({ ints }) => ({ type: 'ints', value: (ints ?? []).map(toInteger) })],
  [
    AttributeType.STRINGS,
    ({ strings }) => ({ type: 'strings', value: (strings ?? []).map(decodeText) }),
  ],
  [
    AttributeType.TENSORS,
    ({ tensors }, where, { external }) => ({
      type: 'tensors',
      value: (tensors ?? []).map((tensor) => decodeTensor(tensor, where, external)),
    }),
  ],
  [
    AttributeType.GRAPHS,
    ({ graphs }, where, { decodeGraph }) => ({
      type: 'graphs',
      value: (graphs ?? []).map((graph) => decodeGraph(graph, where)),
    }),
  ],
  [
    AttributeType.SPARSE_TENSOR,
    ({ sparseTensor }, where, { external }) => ({
      type: 'tensor',
      value: decodeSparseTensor(sparseTensor ?? missing(where), where, external),
    }),
  ],
]);

/** Files of old writers leave the type out: the field that is there tells it. */
const typeByField = [
  ['f', AttributeType.FLOAT],
  ['i', AttributeType.INT],
  ['s', AttributeType.STRING],
  ['t', AttributeType.TENSOR],
  ['g', AttributeType.GRAPH],
  ['floats', AttributeType.FLOATS],
  ['ints', AttributeType.INTS],
  ['strings', AttributeType.STRINGS],
  ['tensors', AttributeType.TENSORS],
  ['graphs', AttributeType.GRAPHS],
  ['sparseTensor', AttributeType.SPARSE_TENSOR],
] as const;

function typeOf(message: AttributeMessage): number {
  if (message.type != null && message.type !== AttributeType.UNDEFINED) return message.type;
  const present = typeByField.find(([field]) => {
    const value = Object.hasOwn(message, field) ? message[field] : undefined;
    return Array.isArray(value) ? value.length > 0 : value != null;
  });
  return present?.[1] ?? AttributeType.UNDEFINED;
}

/** The attributes of a node by name.
 *  @throws GradwareError INVALID_MODEL for one that comes twice or without a value, UNSUPPORTED for types and lists
 *  of sparse tensors. */
export function decodeAttributes(
  messages: readonly AttributeMessage[],
  where: string,
  context: AttributeContext,
): Readonly<Record<string, Attribute>> {
  const attributes = new Map<string, Attribute>();
  for (const message of messages) {
    const sparseConstant = message.name === 'sparse_value' && message.sparseTensor != null;
    // The sparse value of a Constant is written out, so it becomes the plain one.
    const name = sparseConstant ? 'value' : (message.name ?? '');
    const place = `${where}, attribute "${name}"`;
    if (attributes.has(name)) {
      refuse('A node has the same attribute twice', { code: 'INVALID_MODEL', where: place });
    }
    attributes.set(name, decodeAttribute(message, place, context));
  }
  return Object.fromEntries(attributes);
}

function decodeAttribute(
  message: AttributeMessage,
  where: string,
  context: AttributeContext,
): Attribute {
  if (message.refAttrName) return { type: 'reference', value: message.refAttrName };
  const type = typeOf(message);
  const decode = decoders.get(type);
  if (decode !== undefined) return decode(message, where, context);
  if (type === AttributeType.UNDEFINED) return missing(where);
  throw new GradwareError('UNSUPPORTED', `An attribute is of kind ${AttributeType[type] ?? type}`, {
    where,
    remedy: 'Export the model without it: attributes are numbers, texts, tensors and graphs.',
  });
}
