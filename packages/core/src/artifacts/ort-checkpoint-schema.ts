import { field, type TableSchema } from '../onnx/flatbuffers/schema.js';
import { tensorSchema } from '../onnx/ort-format/schema.js';

/** The tables of ONNX Runtime's training checkpoints (file identifier ODTC), fields in the order of their slots. */

const { bool, float32, int32, int64, string, table, tables } = field;

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
