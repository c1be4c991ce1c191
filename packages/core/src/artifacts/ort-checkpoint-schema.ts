import type { FieldSchema, TableSchema } from './flatbuffers-verifier.js';

/** The tables of ONNX Runtime's training checkpoints (file identifier ODTC), fields in the order of their slots. */

const int32: FieldSchema = { kind: 'scalar', size: 4 };
const int64: FieldSchema = { kind: 'scalar', size: 8 };
const float32: FieldSchema = { kind: 'scalar', size: 4 };
const bool: FieldSchema = { kind: 'scalar', size: 1 };
const string: FieldSchema = { kind: 'string' };
const strings: FieldSchema = { kind: 'strings' };
const vector = (size: 1 | 8): FieldSchema => ({ kind: 'vector', size });
const table = (schema: TableSchema): FieldSchema => ({ kind: 'table', table: schema });
const tables = (schema: TableSchema): FieldSchema => ({ kind: 'tables', table: schema });

export const tensorSchema = {
  name: string,
  doc_string: string,
  dims: vector(8),
  data_type: int32,
  raw_data: vector(1),
  string_data: strings,
  external_data_offset: int64,
} as const satisfies TableSchema;

export const moduleStateSchema = {
  requires_grad_params: tables(tensorSchema),
  frozen_params: tables(tensorSchema),
  is_nominal_state: bool,
  has_external_data: bool,
} as const satisfies TableSchema;

export const optimizerStateSchema = {
  param_name: string,
  momentums: tables(tensorSchema),
} as const satisfies TableSchema;

export const optimizerGroupSchema = {
  group_name: string,
  step: int64,
  initial_learning_rate: float32,
  optimizer_states: tables(optimizerStateSchema),
} as const satisfies TableSchema;

export const propertySchemas = {
  int: { name: string, value: int64 },
  float: { name: string, value: float32 },
  string: { name: string, value: string },
} as const satisfies Readonly<Record<string, TableSchema>>;

export const propertyBagSchema = {
  ints: tables(propertySchemas.int),
  floats: tables(propertySchemas.float),
  strings: tables(propertySchemas.string),
} as const satisfies TableSchema;

export const checkpointSchema = {
  version: int32,
  module_state: table(moduleStateSchema),
  optimizer_groups: tables(optimizerGroupSchema),
  property_bag: table(propertyBagSchema),
} as const satisfies TableSchema;

export const checkpointIdentifier = 'ODTC';
