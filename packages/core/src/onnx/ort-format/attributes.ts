import { GradwareError } from '../../errors.js';
import type { Table } from '../flatbuffers/table.js';
import { clampInteger } from '../integers.js';
import type { Attribute, Graph } from '../ir.js';
import { convertAgain } from '../remedies.js';
import { decodeTensorTable } from './tensor.js';

export type DecodeGraph = (table: Table, where: string) => Graph;

type Decoder = (table: Table, where: string, decodeGraph: DecodeGraph) => Attribute;

const missing = (where: string): never => {
  throw new GradwareError('INVALID_MODEL', 'An attribute has no value', {
    where,
    remedy: convertAgain,
  });
};

const tensorOf = (table: Table, where: string) =>
  decodeTensorTable(table, { code: 'INVALID_MODEL', where });

/** By ONNX's AttributeProto.AttributeType, which ONNX Runtime numbers alike. */
const decoders: ReadonlyMap<number, Decoder> = new Map<number, Decoder>([
  [1, (table) => ({ type: 'float', value: table.float32('f') ?? 0 })],
  [2, (table) => ({ type: 'int', value: clampInteger(table.int64('i') ?? 0n) })],
  [3, (table) => ({ type: 'string', value: table.string('s') ?? '' })],
  [
    4,
    (table, where) => ({
      type: 'tensor',
      value: tensorOf(table.table('t') ?? missing(where), where),
    }),
  ],
  [
    5,
    (table, where, decodeGraph) => ({
      type: 'graph',
      value: decodeGraph(table.table('g') ?? missing(where), where),
    }),
  ],
  [6, (table) => ({ type: 'floats', value: table.float32s('floats') })],
  [7, (table) => ({ type: 'ints', value: table.int64s('ints').map(clampInteger) })],
  [8, (table) => ({ type: 'strings', value: table.strings('strings') })],
  [
    9,
    (table, where) => ({
      type: 'tensors',
      value: table.tables('tensors').map((tensor) => tensorOf(tensor, where)),
    }),
  ],
  [
    10,
    (table, where, decodeGraph) => ({
      type: 'graphs',
      value: table.tables('graphs').map((graph) => decodeGraph(graph, where)),
    }),
  ],
]);

/** The attributes of a node in an .ort file.
 *  @throws GradwareError INVALID_MODEL for one that comes twice or without a value, UNSUPPORTED for other kinds */
export function decodeAttributeTables(
  tables: readonly Table[],
  where: string,
  decodeGraph: DecodeGraph,
): Readonly<Record<string, Attribute>> {
  const attributes = new Map<string, Attribute>();
  for (const table of tables) {
    const name = table.string('name') ?? '';
    const place = `${where}, attribute "${name}"`;
    if (attributes.has(name))
      throw new GradwareError('INVALID_MODEL', 'A node has the same attribute twice', {
        where: place,
        remedy: convertAgain,
      });
    const kind = table.int32('type') ?? 0;
    const decode = decoders.get(kind);
    if (decode === undefined)
      throw new GradwareError('UNSUPPORTED', `An attribute is of the kind ${kind}`, {
        where: place,
        remedy: convertAgain,
      });
    attributes.set(name, decode(table, place, decodeGraph));
  }
  return Object.fromEntries(attributes);
}
