import { ByteBuffer } from 'flatbuffers';
import { GradwareError } from '../errors.js';
import { byteLength, dataTypeOf, elementCount, elementTypes } from '../onnx/element-types.js';
import type { TensorData } from '../onnx/ir.js';
import { tensorFromBytes } from '../onnx/tensor.js';
import { readTable, type Table } from './flatbuffers-table.js';
import { verifyFlatBuffer } from './flatbuffers-verifier.js';
import { checkpointIdentifier, checkpointSchema } from './ort-checkpoint-schema.js';

/** What an optimizer keeps between steps, as ONNX Runtime stores it. */
export interface OptimizerState {
  readonly step: number;
  readonly initialLearningRate: number;
  /** By parameter, then by momentum ("momentum0", "momentum1"). */
  readonly momentums: ReadonlyMap<string, ReadonlyMap<string, TensorData>>;
}

/** The content of ONNX Runtime's training checkpoint. */
export interface Checkpoint {
  readonly trainable: ReadonlyMap<string, TensorData>;
  readonly frozen: ReadonlyMap<string, TensorData>;
  /** Only the names and types are there: every tensor has the shape [0]. */
  readonly nominal: boolean;
  readonly optimizer?: OptimizerState | undefined;
  /** What users noted: integers as bigint, floats as number. */
  readonly properties: ReadonlyMap<string, number | bigint | string>;
}

export interface CheckpointSource {
  /** The name of the file, for error messages. */
  readonly file?: string;
  /** The content of `<checkpoint>.data`, where a large checkpoint keeps its values. */
  readonly externalData?: Uint8Array | undefined;
}

interface Context {
  readonly file: string;
  readonly nominal: boolean;
  readonly externalData: Uint8Array | undefined;
}

const versions: ReadonlySet<number> = new Set([1, 2]);

/** Whether bytes carry the file identifier of ONNX Runtime's training checkpoints. */
export function isOrtCheckpoint(bytes: Uint8Array): boolean {
  return (
    bytes.byteLength >= 8 &&
    Array.from(checkpointIdentifier).every((char, i) => bytes[4 + i] === char.charCodeAt(0))
  );
}

/** Reads a checkpoint that ONNX Runtime 1.16 to 1.19 wrote (versions 1 and 2). Values stay in `bytes` where aligned.
 *  @throws GradwareError INVALID_CHECKPOINT naming the field or tensor and the byte. */
export function readOrtCheckpoint(bytes: Uint8Array, source: CheckpointSource = {}): Checkpoint {
  const file = source.file ?? 'the checkpoint';
  if (!isOrtCheckpoint(bytes)) invalid('This is not a training checkpoint of ONNX Runtime', file);
  const defect = verifyFlatBuffer(bytes, checkpointSchema);
  if (defect !== undefined) {
    const field = defect.path === '' ? 'The root of the checkpoint' : `Its field ${defect.path}`;
    throw new GradwareError(
      'INVALID_CHECKPOINT',
      `The checkpoint is damaged: ${field} ${defect.problem}`,
      {
        where: `${file}, byte ${defect.byte} of ${bytes.byteLength}`,
        remedy: 'Check that the file was copied or downloaded completely.',
      },
    );
  }
  // A plain view: the vectors of a Node Buffer would be Buffers too.
  const buffer = new ByteBuffer(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const root = readTable(buffer, buffer.readInt32(0), checkpointSchema);
  const version = root.int32('version') ?? 0;
  if (!versions.has(version)) {
    throw new GradwareError(
      'INVALID_CHECKPOINT',
      `The checkpoint has the unknown version ${version}`,
      {
        where: file,
        remedy: 'Versions 1 and 2 can be read (ONNX Runtime 1.16 to 1.19).',
      },
    );
  }
  const module = root.table('module_state');
  if (module === undefined) return invalid('The checkpoint holds no parameters', file);
  const nominal = module.bool('is_nominal_state');
  const context: Context = { file, nominal, externalData: source.externalData };
  const trainable = readTensors(module.tables('requires_grad_params'), context);
  const frozen = readTensors(module.tables('frozen_params'), context);
  const both = [...frozen.keys()].find((name) => trainable.has(name));
  if (both !== undefined) invalid(`The parameter "${both}" is both trainable and frozen`, file);
  return {
    trainable,
    frozen,
    nominal,
    optimizer: readOptimizer(root.tables('optimizer_groups'), { ...context, nominal: false }),
    properties: readProperties(root.table('property_bag'), file),
  };
}

function invalid(problem: string, where: string): never {
  throw new GradwareError('INVALID_CHECKPOINT', problem, { where });
}

function readTensors(tables: readonly Table[], context: Context): ReadonlyMap<string, TensorData> {
  const tensors = new Map<string, TensorData>();
  for (const [index, table] of tables.entries()) {
    const name = table.string('name') ?? '';
    if (name === '') invalid(`Tensor ${index} of the checkpoint has no name`, context.file);
    if (tensors.has(name)) invalid(`The tensor "${name}" is there twice`, context.file);
    tensors.set(name, readTensor(table, `${context.file}, tensor "${name}"`, context));
  }
  return tensors;
}

function readTensor(table: Table, where: string, { nominal, externalData }: Context): TensorData {
  const place = { code: 'INVALID_CHECKPOINT', where } as const;
  const code = table.int32('data_type') ?? 0;
  const type = dataTypeOf(code);
  if (type === undefined) return invalid(`A tensor has the unknown element type ${code}`, where);
  const { array } = elementTypes[type];
  if (nominal) {
    return { type, dims: [0], data: array === undefined ? [] : new array(0) };
  }
  const dims = table.int64s('dims').map(Number);
  if (array === undefined) {
    const data = table.strings('string_data');
    const count = elementCount(dims, place);
    return data.length === count
      ? { type, dims, data }
      : invalid(`A tensor of ${count} strings holds ${data.length}`, where);
  }
  const offset = Number(table.int64('external_data_offset') ?? -1n);
  if (offset < 0) return tensorFromBytes(type, dims, table.bytes('raw_data'), place);
  if (externalData === undefined) {
    throw new GradwareError('INVALID_CHECKPOINT', 'The values of this tensor lie in another file', {
      where,
      remedy: 'Keep the ".data" file beside the checkpoint, and give both.',
    });
  }
  const end = offset + byteLength(type, dims, place);
  if (end > externalData.byteLength) {
    invalid(
      `The values of this tensor end at byte ${end} of the ".data" file, which has ${externalData.byteLength}`,
      where,
    );
  }
  return tensorFromBytes(type, dims, externalData.subarray(offset, end), place);
}

function readOptimizer(groups: readonly Table[], context: Context): OptimizerState | undefined {
  const [group] = groups;
  if (group === undefined) return undefined;
  if (groups.length > 1) {
    invalid(
      `The checkpoint has ${groups.length} optimizer groups where one is known`,
      context.file,
    );
  }
  const momentums = new Map<string, ReadonlyMap<string, TensorData>>();
  for (const state of group.tables('optimizer_states')) {
    const name = state.string('param_name') ?? '';
    if (name === '' || momentums.has(name)) {
      invalid(
        `The optimizer state of the parameter "${name}" is there twice or nameless`,
        context.file,
      );
    }
    const inner = { ...context, file: `${context.file}, optimizer state of "${name}"` };
    momentums.set(name, readTensors(state.tables('momentums'), inner));
  }
  const step = Number(group.int64('step') ?? 0n);
  if (!Number.isSafeInteger(step) || step < 0) {
    invalid(`The optimizer has made ${step} steps`, context.file);
  }
  return { step, initialLearningRate: group.float32('initial_learning_rate') ?? 0, momentums };
}

function readProperties(
  bag: Table | undefined,
  file: string,
): ReadonlyMap<string, number | bigint | string> {
  const properties = new Map<string, number | bigint | string>();
  const add = (tables: readonly Table[], value: (table: Table) => number | bigint | string) => {
    for (const table of tables) {
      const name = table.string('name') ?? '';
      if (properties.has(name)) invalid(`The property "${name}" is there twice`, file);
      properties.set(name, value(table));
    }
  };
  add(bag?.tables('ints') ?? [], (table) => table.int64('value') ?? 0n);
  add(bag?.tables('floats') ?? [], (table) => table.float32('value') ?? 0);
  add(bag?.tables('strings') ?? [], (table) => table.string('value') ?? '');
  return properties;
}
