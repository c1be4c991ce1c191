import { GradwareError } from '../errors.js';
import { elementTypes } from './element-types.js';
import { onnx } from './generated/messages.js';
import { fromInteger } from './integers.js';
import type {
  Attribute,
  DataType,
  Dim,
  FunctionDefinition,
  Graph,
  Model,
  Node,
  TensorData,
  ValueInfo,
} from './ir.js';
import { joinChunks, varint } from './packed.js';
import { encodeTensor, encodeText, type TensorMessage } from './tensor-proto.js';

type AttributeMessage = onnx.AttributeProto.$Properties;

/** What a protobuf message can hold, and so an ONNX file whose weights lie inside. */
const maxBytes = 2 ** 31 - 1;

/** The bytes of an ONNX file of a model, its weights inside.
 *  @throws GradwareError UNSUPPORTED for a model that does not fit into 2 GiB, or whose inputs or outputs are no tensors
 *  (their element types are not kept). */
export function encodeModel(model: Model): Uint8Array {
  const { initializers } = model.graph;
  let weights = 0;
  for (const { data } of initializers.values()) {
    weights += ArrayBuffer.isView(data) ? data.byteLength : 0;
  }
  requireSize(weights);
  const head = onnx.ModelProto.encode({
    irVersion: model.irVersion,
    producerName: model.producer,
    opsetImport: encodeOpsets(model.opsets),
    metadataProps: Array.from(model.metadata, ([key, value]) => ({ key, value })),
    functions: model.functions.map(encodeFunction),
  }).finish();
  const body = onnx.GraphProto.encode(encodeGraph({ ...model.graph, initializers: new Map() }));
  // The weights are copied once, into the result: a message may give its fields in any order.
  const graph = [body.finish(), ...Array.from(initializers).flatMap(initializerChunks)];
  const size = graph.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  requireSize(head.byteLength + size + 16);
  return joinChunks([head, fieldTag(7), varint(size), ...graph]);
}

function requireSize(bytes: number): void {
  if (bytes <= maxBytes) return;
  throw new GradwareError(
    'UNSUPPORTED',
    `A model of ${(bytes / 2 ** 30).toFixed(2)} GiB does not fit into one ONNX file (2 GiB)`,
    { remedy: 'Keep fewer or smaller weights in the model, for example in a 16-bit type.' },
  );
}

/** The tag of a length-delimited field. */
const fieldTag = (number: number): Uint8Array => varint(number * 8 + 2);

function initializerChunks([name, tensor]: readonly [string, TensorData]): Uint8Array[] {
  const { rawData, ...rest } = encodeTensor(tensor, name);
  const head = onnx.TensorProto.encode(rest).finish();
  const raw = rawData == null ? [] : [fieldTag(9), varint(rawData.byteLength), rawData];
  const size = raw.reduce((sum, chunk) => sum + chunk.byteLength, head.byteLength);
  return [fieldTag(5), varint(size), head, ...raw];
}

function encodeOpsets(opsets: ReadonlyMap<string, number>): onnx.OperatorSetIdProto.$Properties[] {
  return Array.from(opsets, ([domain, version]) => ({ domain, version }));
}

function encodeGraph(graph: Graph): onnx.GraphProto.$Properties {
  const notes = Array.from(graph.valueInfo.values()).filter(isWritable);
  return {
    name: graph.name || 'graph',
    node: graph.nodes.map(encodeNode),
    initializer: Array.from(graph.initializers, ([name, tensor]) => encodeTensor(tensor, name)),
    input: graph.inputs.map(encodeValueInfo),
    output: graph.outputs.map(encodeValueInfo),
    valueInfo: notes.map(encodeValueInfo),
  };
}

function encodeNode(node: Node): onnx.NodeProto.$Properties {
  const where = `node "${node.name}" (${node.opType})`;
  return {
    name: node.name,
    opType: node.opType,
    domain: node.domain,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes).map(([name, attribute]) =>
      encodeAttribute(name, attribute, where),
    ),
  };
}

const codes: ReadonlyMap<ValueInfo['type'], number> = new Map(
  (Object.keys(elementTypes) as DataType[]).map((type) => [type, elementTypes[type].code]),
);

/** Of sparse tensors, nested sequences and maps to anything but tensors, too little is kept to write them again. */
const isWritable = ({ type, element, map }: ValueInfo): boolean =>
  type === 'sequence' || type === 'optional'
    ? element !== undefined || map !== undefined
    : type === 'map'
      ? map !== undefined
      : type !== 'sparse';

function encodeValueInfo(value: ValueInfo): onnx.ValueInfoProto.$Properties {
  const { name, type } = value;
  if (type === undefined) return { name };
  if (!isWritable(value)) {
    throw new GradwareError('UNSUPPORTED', `A value of type ${type} cannot be written`, {
      where: `value "${name}"`,
    });
  }
  const elemType = value.map === undefined ? tensorType(value) : mapType(value.map);
  if (type === 'sequence') return { name, type: { sequenceType: { elemType } } };
  if (type === 'optional') return { name, type: { optionalType: { elemType } } };
  return { name, type: elemType };
}

function mapType({ key, value }: NonNullable<ValueInfo['map']>): onnx.TypeProto.$Properties {
  const valueType = { tensorType: { elemType: codes.get(value) ?? 0 } };
  return { mapType: { keyType: codes.get(key) ?? 0, valueType } };
}

function tensorType({ type, element, shape }: ValueInfo): onnx.TypeProto.$Properties {
  return {
    tensorType: {
      elemType: codes.get(element ?? type) ?? 0,
      ...(shape && { shape: { dim: shape.map(encodeDim) } }),
    },
  };
}

function encodeDim(dim: Dim): onnx.TensorShapeProto.Dimension.$Properties {
  if (dim === null) return {};
  return typeof dim === 'string' ? { dimParam: dim } : { dimValue: dim };
}

function encodeFunction(definition: FunctionDefinition): onnx.FunctionProto.$Properties {
  const where = `function "${definition.name}"`;
  return {
    name: definition.name,
    domain: definition.domain,
    input: [...definition.inputs],
    output: [...definition.outputs],
    attribute: [...definition.attributes],
    attributeProto: Object.entries(definition.defaults).map(([name, attribute]) =>
      encodeAttribute(name, attribute, where),
    ),
    node: definition.nodes.map(encodeNode),
    opsetImport: encodeOpsets(definition.opsets),
  };
}

function encodeAttribute(name: string, attribute: Attribute, where: string): AttributeMessage {
  return { name, ...attributeValue(attribute, `${where}, attribute "${name}"`) };
}

const { AttributeType } = onnx.AttributeProto;

function attributeValue(attribute: Attribute, where: string): AttributeMessage {
  switch (attribute.type) {
    case 'int':
      return { type: AttributeType.INT, i: integer(attribute.value, where) };
    case 'float':
      return { type: AttributeType.FLOAT, f: attribute.value };
    case 'string':
      return { type: AttributeType.STRING, s: encodeText(attribute.value) };
    case 'tensor':
      return { type: AttributeType.TENSOR, t: encodeTensor(attribute.value) };
    case 'graph':
      return { type: AttributeType.GRAPH, g: encodeGraph(attribute.value) };
    case 'ints':
      return {
        type: AttributeType.INTS,
        ints: attribute.value.map((value) => integer(value, where)),
      };
    case 'floats':
      return { type: AttributeType.FLOATS, floats: [...attribute.value] };
    case 'strings':
      return { type: AttributeType.STRINGS, strings: attribute.value.map(encodeText) };
    case 'tensors':
      return {
        type: AttributeType.TENSORS,
        tensors: attribute.value.map((tensor): TensorMessage => encodeTensor(tensor)),
      };
    case 'graphs':
      return { type: AttributeType.GRAPHS, graphs: attribute.value.map(encodeGraph) };
    case 'reference':
      // Its type is that of the caller's attribute, which is not known here.
      return { refAttrName: attribute.value };
  }
}

function integer(value: number, where: string): ReturnType<typeof fromInteger> {
  if (!Number.isSafeInteger(value)) {
    throw new GradwareError('INVALID_MODEL', `An integer attribute is ${value}`, { where });
  }
  return fromInteger(value);
}
