import { GradwareError } from '../errors.js';
import { elementTypes } from '../onnx/element-types.js';
import { type ExternalReader, externalReader } from '../onnx/external-data.js';
import { hasIdentifier, readFlatBuffer, type Table } from '../onnx/flatbuffers/table.js';
import type { TensorData } from '../onnx/ir.js';
import { decodeTensorTable, elementTypeOf } from '../onnx/ort-format/tensor.js';
import { checkpointIdentifier, checkpointSchema } from './ort-checkpoint-schema.js';
import { saveAgain } from './remedies.js';

/** What an optimizer keeps between steps, as ONNX Runtime stores it. */
export interface OptimizerState {
  readonly step: number;
  readonly initialLearningRate: number;
  /** By parameter, then by momentum ("momentum0", "momentum1"). */
  readonly momentums: ReadonlyMap<string, ReadonlyMap<string, TensorData>>;
}

/** What a user notes in a checkpoint: a whole number (64 bits), a float (32 bits) or a text. */
export type Property = bigint | number | string;

/** The content of ONNX Runtime's training checkpoint. */
export interface Checkpoint {
  readonly trainable: ReadonlyMap<string, TensorData>;
  readonly frozen: ReadonlyMap<string, TensorData>;
  /** Only the names and types are there: every tensor has the shape [0]. */
  readonly nominal: boolean;
  readonly optimizer?: OptimizerState | undefined;
  readonly properties: ReadonlyMap<string, Property>;
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
  readonly external: ExternalReader | undefined;
}

const versions: ReadonlySet<number> = new Set([1, 2]);

/** Whether bytes carry the file identifier of ONNX Runtime's training checkpoints. */
export function isOrtCheckpoint(bytes: Uint8Array): boolean {
  return hasIdentifier(bytes, checkpointIdentifier);
}

/** Reads a checkpoint that ONNX Runtime 1.16 to 1.19 wrote (versions 1 and 2). Values stay in `bytes` where aligned.
 *  @throws GradwareError INVALID_CHECKPOINT naming the field or tensor and the byte. */
export function readOrtCheckpoint(bytes: Uint8Array, source: CheckpointSource = {}): Checkpoint {
  const file = source.file ?? 'the checkpoint';
  if (!isOrtCheckpoint(bytes)) invalid('This is not a training checkpoint of ONNX Runtime', file);
  const title = { code: 'INVALID_CHECKPOINT', title: 'checkpoint', file } as const;
  const root = readFlatBuffer(bytes, checkpointSchema, title);
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
  const { externalData } = source;
  const external = externalData && externalReader(() => externalData);
  const context: Context = { file, nominal, external };
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
  throw new GradwareError('INVALID_CHECKPOINT', problem, { where, remedy: saveAgain });
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

function readTensor(table: Table, where: string, { nominal, external }: Context): TensorData {
  const place = { code: 'INVALID_CHECKPOINT', where } as const;
  if (!nominal) return decodeTensorTable(table, place, external);
  const type = elementTypeOf(table, place);
  const { array } = elementTypes[type];
  return { type, dims: [0], data: array === undefined ? [] : new array(0) };
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

function readProperties(bag: Table | undefined, file: string): ReadonlyMap<string, Property> {
  const properties = new Map<string, Property>();
  const add = (tables: readonly Table[], value: (table: Table) => Property) => {
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
