import { GradwareError } from '../../errors.js';
import { readFlatBuffer, type Table } from '../flatbuffers/table.js';
import { collectInitializers } from '../initializers.js';
import { clampInteger } from '../integers.js';
import type { Graph, Model, Node, TensorData, ValueInfo } from '../ir.js';
import { canonicalDomain, opsetsOf } from '../opsets.js';
import { convertAgain } from '../remedies.js';
import { denseTensor } from '../sparse.js';
import { decodeAttributeTables } from './attributes.js';
import { sessionSchema } from './schema.js';
import { decodeTensorTable } from './tensor.js';
import { decodeValueTable } from './types.js';
import { unfuse } from './unfuse.js';

/** Later versions would change tables that are read here; all earlier ones only changed what is not. */
const newestVersion = 6;

/** A node that a provider compiled for itself at conversion time. */
const fusedNode = 1;

/** The model in the bytes of an .ort file. Such files have been optimised for the CPU: what ONNX Runtime fused by then
 *  is taken apart again where it can be, so that what follows sees standard ops. Runtime optimisations noted in the
 *  file are optional, and left alone.
 *  @throws GradwareError INVALID_MODEL for damage, UNSUPPORTED for what has no form as an ONNX model */
export function decodeOrtModel(bytes: Uint8Array, file: string): Model {
  const title = { code: 'INVALID_MODEL', title: '.ort model', file } as const;
  const root = readFlatBuffer(bytes, sessionSchema, title);
  checkVersion(root.string('ort_version'), file);
  const model = root.table('model');
  const graph = model?.table('graph');
  if (model === undefined || graph === undefined)
    throw new GradwareError('INVALID_MODEL', 'The .ort file holds no graph', {
      where: file,
      remedy: convertAgain,
    });
  const opsets = opsetsOf(
    model.tables('opset_import').map((table) => ({
      domain: table.string('domain'),
      version: clampInteger(table.int64('version') ?? 0n),
    })),
    file,
  );
  return {
    graph: unfuse(decodeGraph(graph, file), opsets, file),
    opsets,
    irVersion: clampInteger(model.int64('ir_version') ?? 0n),
    functions: [],
    metadata: new Map(
      model
        .tables('metadata_props')
        .map((table) => [table.string('key') ?? '', table.string('value') ?? '']),
    ),
    producer: model.string('producer_name') ?? '',
  };
}

function checkVersion(version: string | undefined, file: string): void {
  const number = Number(version);
  if (Number.isInteger(number) && number >= 1 && number <= newestVersion) return;
  throw new GradwareError(
    'UNSUPPORTED',
    `The .ort format has the unknown version ${JSON.stringify(version ?? '')}`,
    { where: file, remedy: `Versions up to ${newestVersion} can be read; or give the .onnx file.` },
  );
}

function decodeGraph(table: Table, where: string): Graph {
  const values = new Map<string, ValueInfo>();
  for (const each of table.tables('node_args')) {
    // An absent optional value is an argument without a name.
    if ((each.string('name') ?? '') === '') continue;
    const info = decodeValueTable(each, where);
    values.set(info.name, info);
  }
  const named = (name: string): ValueInfo => values.get(name) ?? { name };
  const [inputs, outputs] = [table.strings('inputs'), table.strings('outputs')];
  const initializers = decodeInitializers(table, where);
  const outer = new Set([...inputs, ...outputs, ...initializers.keys()]);
  return {
    // Names of graphs are not kept, and ONNX wants one.
    name: 'graph',
    nodes: table.tables('nodes').map((node, index) => decodeNode(node, index, where)),
    inputs: inputs.map(named),
    outputs: outputs.map(named),
    initializers,
    valueInfo: new Map([...values].filter(([name]) => !outer.has(name))),
  };
}

function decodeInitializers(graph: Table, where: string): ReadonlyMap<string, TensorData> {
  const { all, add } = collectInitializers(where);
  for (const tensor of graph.tables('initializers'))
    add(tensor.string('name') ?? '', (place) =>
      decodeTensorTable(tensor, { code: 'INVALID_MODEL', where: place }),
    );
  for (const sparse of graph.tables('sparse_initializers')) {
    const [values, indices] = [sparse.table('values'), sparse.table('indices')];
    add(values?.string('name') ?? '', (place) => {
      const decode = (tensor: Table | undefined) =>
        tensor && decodeTensorTable(tensor, { code: 'INVALID_MODEL', where: place });
      return denseTensor(sparse.int64s('dims').map(Number), decode(values), decode(indices), place);
    });
  }
  return all;
}

function decodeNode(table: Table, index: number, where: string): Node {
  const opType = table.string('op_type') ?? '';
  const name = table.string('name') ?? '';
  const place = `${where}, node "${name || `#${index}`}" (${opType})`;
  if (opType === '')
    throw new GradwareError('INVALID_MODEL', 'A node has no op type', {
      where: place,
      remedy: convertAgain,
    });
  if (table.int32('type') === fusedNode)
    throw new GradwareError('UNSUPPORTED', `The node ${opType} was compiled for one provider`, {
      where: place,
      remedy: 'Convert the model for the CPU, or give the .onnx file.',
    });
  return {
    name,
    opType,
    domain: canonicalDomain(table.string('domain')),
    inputs: table.strings('inputs'),
    outputs: table.strings('outputs'),
    attributes: decodeAttributeTables(table.tables('attributes'), place, decodeGraph),
  };
}
