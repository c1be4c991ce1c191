import { field, type TableSchema } from '../flatbuffers/schema.js';

/** The tables of ONNX Runtime's own model format (.ort, file identifier ORTM), fields in the order of their slots. */

const { float32, int32, int64, string, strings, table, tables, uint8, union, unread, vector } =
  field;

export const tensorSchema = {
  name: string,
  doc_string: string,
  dims: vector(8),
  data_type: int32,
  raw_data: vector(1),
  string_data: strings,
  external_data_offset: int64,
} as const satisfies TableSchema;

const sparseTensorSchema: TableSchema = {
  values: table(tensorSchema),
  indices: table(tensorSchema),
  dims: vector(8),
};

const dimensionValueSchema: TableSchema = { dim_type: uint8, dim_value: int64, dim_param: string };
const dimensionSchema: TableSchema = { value: table(dimensionValueSchema), denotation: unread };
const shapeSchema: TableSchema = { dim: tables(dimensionSchema) };

const tensorTypeSchema: TableSchema = { elem_type: int32, shape: table(shapeSchema) };

/** Types and graphs hold others of their kind, so the schemas of what holds them look them up when they are asked. */
const sequenceTypeSchema: TableSchema = {
  get elem_type() {
    return table(typeInfoSchema);
  },
};

const mapTypeSchema: TableSchema = {
  key_type: int32,
  get value_type() {
    return table(typeInfoSchema);
  },
};

const typeInfoSchema: TableSchema = {
  denotation: unread,
  value_type: uint8,
  value: union(tensorTypeSchema, sequenceTypeSchema, mapTypeSchema),
};

/** The tags of the union in a TypeInfo. */
export const typeTags = { tensor: 1, sequence: 2, map: 3 } as const;

const valueInfoSchema: TableSchema = {
  name: string,
  doc_string: unread,
  type: table(typeInfoSchema),
};

const attributeSchema: TableSchema = {
  name: string,
  doc_string: unread,
  type: int32,
  f: float32,
  i: int64,
  s: string,
  t: table(tensorSchema),
  get g() {
    return table(graphSchema);
  },
  floats: vector(4),
  ints: vector(8),
  strings,
  tensors: tables(tensorSchema),
  get graphs() {
    return tables(graphSchema);
  },
};

const nodeSchema: TableSchema = {
  name: string,
  doc_string: unread,
  domain: string,
  since_version: unread,
  index: unread,
  op_type: string,
  type: int32,
  execution_provider_type: unread,
  inputs: strings,
  outputs: strings,
  attributes: tables(attributeSchema),
};

const graphSchema: TableSchema = {
  initializers: tables(tensorSchema),
  node_args: tables(valueInfoSchema),
  nodes: tables(nodeSchema),
  max_node_index: unread,
  node_edges: unread,
  inputs: strings,
  outputs: strings,
  sparse_initializers: tables(sparseTensorSchema),
};

const modelSchema: TableSchema = {
  ir_version: int64,
  opset_import: tables({ domain: string, version: int64 }),
  producer_name: string,
  producer_version: unread,
  domain: unread,
  model_version: unread,
  doc_string: unread,
  graph: table(graphSchema),
  graph_doc_string: unread,
  metadata_props: tables({ key: string, value: string }),
};

/** The root of an .ort file. */
export const sessionSchema: TableSchema = { ort_version: string, model: table(modelSchema) };

export const ortModelIdentifier = 'ORTM';
