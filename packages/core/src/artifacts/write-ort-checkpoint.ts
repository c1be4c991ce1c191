import { Builder, type Offset } from 'flatbuffers';
import { GradwareError } from '../errors.js';
import { elementTypes } from '../onnx/element-types.js';
import type { TableSchema } from '../onnx/flatbuffers/schema.js';
import type { TensorData } from '../onnx/ir.js';
import { tensorSchema } from '../onnx/ort-format/schema.js';
import { tensorBytes } from '../onnx/tensor.js';
import type { Checkpoint, OptimizerState } from './ort-checkpoint.js';
import {
  checkpointIdentifier,
  checkpointSchema,
  moduleStateSchema,
  optimizerGroupSchema,
  optimizerStateSchema,
  propertyBagSchema,
  propertySchemas,
} from './ort-checkpoint-schema.js';

/** From here on ONNX Runtime keeps the values in a second file, which its web packages could not load. */
const maxBytes = 1800 * 2 ** 20;

/** Writes a checkpoint of version 2, which ONNX Runtime 1.18 and 1.19 load.
 *  @throws GradwareError UNSUPPORTED for more than 1800 MiB of values. */
export function writeOrtCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const { trainable, frozen, nominal, optimizer, properties } = checkpoint;
  const states = [...(optimizer?.momentums.values() ?? [])];
  const size = [trainable, frozen, ...states]
    .flatMap((tensors) => [...tensors.values()])
    .reduce((sum, { data }) => sum + (ArrayBuffer.isView(data) ? data.byteLength : 0), 0);
  if (size > maxBytes) {
    throw new GradwareError(
      'UNSUPPORTED',
      `A checkpoint of ${Math.ceil(size / 2 ** 20)} MiB does not fit into one file of ONNX Runtime's format (1800 MiB)`,
      { remedy: "Save it in Gradware's own format." },
    );
  }
  const builder = new Builder(size + 65536);
  const moduleState = writeTable(builder, moduleStateSchema, {
    requires_grad_params: offset(writeTensors(builder, trainable, nominal)),
    frozen_params: offset(writeTensors(builder, frozen, nominal)),
    is_nominal_state: bool(nominal),
  });
  const groups = optimizer === undefined ? [] : [writeOptimizer(builder, optimizer)];
  const root = writeTable(builder, checkpointSchema, {
    optimizer_groups: offset(writeOffsets(builder, groups)),
    property_bag: offset(writeProperties(builder, properties)),
    version: int32(2),
    module_state: offset(moduleState),
  });
  builder.finish(root, checkpointIdentifier);
  return builder.asUint8Array();
}

type FieldWriter = (builder: Builder, slot: number) => void;

const offset =
  (target: Offset): FieldWriter =>
  (builder, slot) =>
    builder.addFieldOffset(slot, target, 0);
const int32 =
  (value: number): FieldWriter =>
  (builder, slot) =>
    builder.addFieldInt32(slot, value, 0);
const int64 =
  (value: bigint): FieldWriter =>
  (builder, slot) =>
    builder.addFieldInt64(slot, value, null);
const float32 =
  (value: number): FieldWriter =>
  (builder, slot) =>
    builder.addFieldFloat32(slot, value, null);
const bool =
  (value: boolean): FieldWriter =>
  (builder, slot) =>
    builder.addFieldInt8(slot, Number(value), 0);

function writeTable<S extends TableSchema>(
  builder: Builder,
  schema: S,
  fields: { readonly [K in keyof S]?: FieldWriter },
): Offset {
  const names = Object.keys(schema);
  builder.startObject(names.length);
  for (const [slot, name] of names.entries()) fields[name]?.(builder, slot);
  return builder.endObject();
}

/** Vectors are written back to front, as everything in a FlatBuffer. */
function writeOffsets(builder: Builder, offsets: readonly Offset[]): Offset {
  builder.startVector(4, offsets.length, 4);
  for (const target of [...offsets].reverse()) builder.addOffset(target);
  return builder.endVector();
}

function writeInt64s(builder: Builder, values: readonly number[]): Offset {
  builder.startVector(8, values.length, 8);
  for (const value of [...values].reverse()) builder.addInt64(BigInt(value));
  return builder.endVector();
}

function writeBytes(builder: Builder, bytes: Uint8Array): Offset {
  // Values of 8 bytes come to lie aligned, so that a reader needs no copy.
  builder.prep(8, bytes.byteLength);
  return builder.createByteVector(bytes);
}

function writeTensors(
  builder: Builder,
  tensors: ReadonlyMap<string, TensorData>,
  nominal = false,
): Offset {
  const offsets = Array.from(tensors, ([name, tensor]) =>
    writeTensor(builder, name, tensor, nominal),
  );
  return writeOffsets(builder, offsets);
}

function writeTensor(builder: Builder, name: string, tensor: TensorData, nominal: boolean): Offset {
  const { type, dims, data } = tensor;
  const isBytes = ArrayBuffer.isView(data);
  const values = isBytes
    ? writeBytes(builder, nominal ? new Uint8Array() : tensorBytes(tensor))
    : writeOffsets(
        builder,
        (nominal ? [] : data).map((text) => builder.createString(text)),
      );
  return writeTable(builder, tensorSchema, {
    dims: offset(writeInt64s(builder, nominal ? [] : dims)),
    data_type: int32(elementTypes[type].code),
    [isBytes ? 'raw_data' : 'string_data']: offset(values),
    name: offset(builder.createString(name)),
  });
}

function writeOptimizer(builder: Builder, optimizer: OptimizerState): Offset {
  const states = Array.from(optimizer.momentums, ([name, momentums]) =>
    writeTable(builder, optimizerStateSchema, {
      param_name: offset(builder.createString(name)),
      momentums: offset(writeTensors(builder, momentums)),
    }),
  );
  return writeTable(builder, optimizerGroupSchema, {
    group_name: offset(builder.createString('group0')),
    optimizer_states: offset(writeOffsets(builder, states)),
    step: int64(BigInt(optimizer.step)),
    initial_learning_rate: float32(optimizer.initialLearningRate),
  });
}

function writeProperties(builder: Builder, properties: Checkpoint['properties']): Offset {
  const ints: Offset[] = [];
  const floats: Offset[] = [];
  const strings: Offset[] = [];
  for (const [key, value] of properties) {
    const name = offset(builder.createString(key));
    if (typeof value === 'bigint') {
      ints.push(writeTable(builder, propertySchemas.int, { name, value: int64(value) }));
    } else if (typeof value === 'number') {
      floats.push(writeTable(builder, propertySchemas.float, { name, value: float32(value) }));
    } else {
      const text = offset(builder.createString(value));
      strings.push(writeTable(builder, propertySchemas.string, { name, value: text }));
    }
  }
  return writeTable(builder, propertyBagSchema, {
    ints: offset(writeOffsets(builder, ints)),
    floats: offset(writeOffsets(builder, floats)),
    strings: offset(writeOffsets(builder, strings)),
  });
}
