import { GradwareError } from '../errors.js';
import { type AttributeContext, decodeAttributes } from './decode-attributes.js';
import { decodeValueInfo } from './decode-types.js';
import { type ExternalData, externalReader } from './external-data.js';
import { onnx } from './generated/messages.js';
import { collectInitializers } from './initializers.js';
import { toInteger } from './integers.js';
import type { FunctionDefinition, Graph, Model, Node, TensorData, ValueInfo } from './ir.js';
import { canonicalDomain, opsetsOf } from './opsets.js';
import { modelReader } from './reader.js';
import { exportAgain } from './remedies.js';
import { decodeSparseTensor } from './sparse.js';
import { decodeTensor } from './tensor-proto.js';
import { validateModel } from './validate.js';

const inlineFunctions = 'Inline the functions (onnx.inliner.inline_local_functions).';

export interface DecodeOptions {
  /** The name of the file, for error messages. */
  readonly file?: string;
  /** Gives the content of the files beside the model in which it keeps tensors. */
  readonly externalData?: ExternalData;
}

/** The model in the bytes of an ONNX file (.onnx).
 *
 *  Weights stay in `bytes` where they lie aligned there: do not change `bytes` afterwards.
 *  Nodes come in topological order. `inputs` are those of the file: before IR version 4 they list the initializers too.
 *  Sparse tensors are written out; documentation strings are dropped.
 *  @throws GradwareError INVALID_MODEL for bytes that are no (whole, consistent) ONNX model, UNSUPPORTED for parts of
 *  ONNX that have no place here, FILE for missing external data. */
export function decodeOnnxModel(bytes: Uint8Array, options: DecodeOptions = {}): Model {
  const file = options.file ?? 'the model';
  const message = readMessage(bytes, file);
  if (message.graph == null || !message.irVersion) {
    throw new GradwareError('INVALID_MODEL', 'These bytes are not an ONNX model', {
      where: file,
      remedy: 'Give a file that was exported as ONNX (.onnx).',
    });
  }
  const context = graphContext(options.externalData);
  const model: Model = {
    graph: decodeGraph(message.graph, file, context),
    opsets: decodeOpsets(message.opsetImport ?? [], file),
    irVersion: toInteger(message.irVersion),
    functions: (message.functions ?? []).map((each) => decodeFunction(each, file, context)),
    metadata: new Map((message.metadataProps ?? []).map((m) => [m.key ?? '', m.value ?? ''])),
    producer: message.producerName ?? '',
  };
  return validateModel(model, file);
}

function readMessage(bytes: Uint8Array, file: string): onnx.ModelProto.$Properties {
  const reader = modelReader(bytes, file);
  try {
    return onnx.ModelProto.decode(reader);
  } catch (cause) {
    const deep = cause instanceof Error && cause.message.includes('max depth');
    throw new GradwareError(
      'INVALID_MODEL',
      deep
        ? 'The messages of this model are nested too deeply'
        : 'These bytes are not an ONNX model, or not a whole one',
      {
        where: `${file}, byte ${reader.pos} of ${bytes.byteLength}`,
        remedy: deep
          ? 'Export the model with fewer graphs within graphs.'
          : 'Check that the file was copied or downloaded completely.',
        cause,
      },
    );
  }
}

function graphContext(externalData: ExternalData | undefined): AttributeContext {
  const context: AttributeContext = {
    external: externalReader(externalData),
    decodeGraph: (message, where) => decodeGraph(message, where, context),
  };
  return context;
}

function decodeGraph(
  message: onnx.GraphProto.$Properties,
  where: string,
  context: AttributeContext,
): Graph {
  const info = (value: onnx.ValueInfoProto.$Properties): ValueInfo => decodeValueInfo(value, where);
  return {
    name: message.name ?? '',
    nodes: (message.node ?? []).map((node, index) => decodeNode(node, index, where, context)),
    inputs: (message.input ?? []).map(info),
    outputs: (message.output ?? []).map(info),
    initializers: decodeInitializers(message, where, context),
    valueInfo: new Map((message.valueInfo ?? []).map((value) => [value.name ?? '', info(value)])),
  };
}

function decodeInitializers(
  message: onnx.GraphProto.$Properties,
  where: string,
  { external }: AttributeContext,
): ReadonlyMap<string, TensorData> {
  const { all, add } = collectInitializers(where);
  for (const tensor of message.initializer ?? []) {
    add(tensor.name ?? '', (place) => decodeTensor(tensor, place, external));
  }
  for (const tensor of message.sparseInitializer ?? []) {
    add(tensor.values?.name ?? '', (place) => decodeSparseTensor(tensor, place, external));
  }
  return all;
}

function decodeNode(
  message: onnx.NodeProto.$Properties,
  index: number,
  where: string,
  context: AttributeContext,
): Node {
  const opType = message.opType ?? '';
  const place = `${where}, node "${message.name || `#${index}`}" (${opType})`;
  if (opType === '') {
    throw new GradwareError('INVALID_MODEL', 'A node has no op type', {
      where: place,
      remedy: exportAgain,
    });
  }
  if (message.overload) {
    throw new GradwareError('UNSUPPORTED', 'A node calls an overloaded function', {
      where: place,
      remedy: inlineFunctions,
    });
  }
  return {
    name: message.name ?? '',
    opType,
    domain: canonicalDomain(message.domain),
    inputs: message.input ?? [],
    outputs: message.output ?? [],
    attributes: decodeAttributes(message.attribute ?? [], place, context),
  };
}

function decodeOpsets(
  messages: readonly onnx.OperatorSetIdProto.$Properties[],
  where: string,
): ReadonlyMap<string, number> {
  return opsetsOf(
    messages.map(({ domain, version }) => ({ domain, version: toInteger(version ?? 0) })),
    where,
  );
}

function decodeFunction(
  message: onnx.FunctionProto.$Properties,
  file: string,
  context: AttributeContext,
): FunctionDefinition {
  const where = `${file}, function "${message.name ?? ''}"`;
  if (message.overload) {
    throw new GradwareError('UNSUPPORTED', 'A function is overloaded', {
      where,
      remedy: inlineFunctions,
    });
  }
  return {
    name: message.name ?? '',
    domain: canonicalDomain(message.domain),
    inputs: message.input ?? [],
    outputs: message.output ?? [],
    attributes: message.attribute ?? [],
    defaults: decodeAttributes(message.attributeProto ?? [], where, context),
    nodes: (message.node ?? []).map((node, index) => decodeNode(node, index, where, context)),
    opsets: decodeOpsets(message.opsetImport ?? [], where),
  };
}
