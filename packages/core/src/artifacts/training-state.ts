import { GradwareError } from '../errors.js';
import type { TensorData } from '../onnx/ir.js';
import type { Property } from './ort-checkpoint.js';
import { decodeSafetensors, encodeSafetensors } from './safetensors.js';

/** Everything that continues a training run exactly where it stopped: Gradware's own checkpoint.
 *  It is a safetensors file, so other tools can read its tensors. */
export interface TrainingState {
  /** Steps made so far. */
  readonly step: number;
  readonly seed: number;
  /** Names begin with their kind: `parameter/fc.weight`, `optimizer/...`, `plugin/...`, `statistic/...`. */
  readonly tensors: ReadonlyMap<string, TensorData>;
  /** Whatever else belongs to the run, as strings (JSON where there is structure). */
  readonly metadata: Readonly<Record<string, string>>;
  /** What the user notes. */
  readonly properties: Readonly<Record<string, Property>>;
}

const kinds = ['parameter', 'optimizer', 'plugin', 'statistic'] as const;

/** What a tensor in a training state is. */
export type StateKind = (typeof kinds)[number];

const format = 'gradware';
const version = '1';
const ownKeys: ReadonlySet<string> = new Set([
  ...['format', 'version', 'step', 'seed', 'properties'],
]);

/** The name of a tensor in a training state. */
export function stateName(kind: StateKind, name: string): string {
  return `${kind}/${name}`;
}

/** The tensors of one kind in a training state, by their own names. */
export function tensorsOfKind(
  state: TrainingState,
  kind: StateKind,
): ReadonlyMap<string, TensorData> {
  const prefix = stateName(kind, '');
  return new Map(
    [...state.tensors]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, tensor]) => [name.slice(prefix.length), tensor]),
  );
}

const hasKind = (name: string): boolean =>
  kinds.some((kind) => name.startsWith(stateName(kind, '')) && name.length > kind.length + 1);

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/** The bytes of a checkpoint.
 *  @throws GradwareError INVALID_CHECKPOINT for tensors without a kind and metadata under reserved names. */
export function encodeTrainingState(
  state: Omit<TrainingState, 'properties'> & Partial<TrainingState>,
): Uint8Array {
  const { step, seed, tensors, metadata, properties = {} } = state;
  const refuse = (problem: string): never => {
    throw new GradwareError('INVALID_CHECKPOINT', problem);
  };
  if (!isCount(step)) refuse(`A training state has made ${step} steps`);
  if (!Number.isFinite(seed)) refuse(`A training state has the seed ${seed}`);
  for (const name of tensors.keys()) {
    if (!hasKind(name)) refuse(`The tensor "${name}" of a training state has no kind`);
  }
  for (const key of Object.keys(metadata)) {
    if (ownKeys.has(key)) refuse(`The metadata "${key}" is the format's own`);
  }
  return encodeSafetensors({
    tensors,
    metadata: {
      ...{ format, version, step: String(step), seed: String(seed) },
      ...(Object.keys(properties).length > 0 && { properties: encodeProperties(properties) }),
      ...metadata,
    },
  });
}

/** Reads a checkpoint that `encodeTrainingState` wrote.
 *  @throws GradwareError INVALID_CHECKPOINT for anything else. */
export function decodeTrainingState(bytes: Uint8Array, file = 'the checkpoint'): TrainingState {
  const { tensors, metadata } = decodeSafetensors(bytes, file);
  const refuse = (problem: string, remedy?: string): never => {
    throw new GradwareError('INVALID_CHECKPOINT', problem, {
      where: file,
      ...(remedy === undefined ? {} : { remedy }),
    });
  };
  if (metadata.format !== format) {
    refuse(
      'This safetensors file is not a checkpoint of Gradware',
      'Give a file that a training session saved.',
    );
  }
  if (metadata.version !== version) {
    refuse(
      `The checkpoint has the unknown version ${JSON.stringify(metadata.version)}`,
      `This version of Gradware reads version ${version}.`,
    );
  }
  const number = (key: string, fits: (value: number) => boolean): number => {
    const text = metadata[key];
    const value = text === undefined || text.trim() === '' ? Number.NaN : Number(text);
    return fits(value) ? value : refuse(`The checkpoint has the ${key} ${JSON.stringify(text)}`);
  };
  const step = number('step', isCount);
  const seed = number('seed', Number.isFinite);
  for (const name of tensors.keys()) {
    if (!hasKind(name)) refuse(`The tensor "${name}" of the checkpoint has no kind`);
  }
  const rest = Object.entries(metadata).filter(([key]) => !ownKeys.has(key));
  const properties = decodeProperties(metadata.properties, () =>
    refuse(`The checkpoint has the properties ${JSON.stringify(metadata.properties)}`),
  );
  return { step, seed, tensors, metadata: Object.fromEntries(rest), properties };
}

/** JSON, with whole numbers as { "int": "12" }. */
function encodeProperties(properties: TrainingState['properties']): string {
  return JSON.stringify(properties, (_, value) =>
    typeof value === 'bigint' ? { int: String(value) } : value,
  );
}

function decodeProperties(
  text: string | undefined,
  refuse: () => never,
): TrainingState['properties'] {
  if (text === undefined) return {};
  const property = (value: unknown): Property => {
    if (typeof value === 'string' || typeof value === 'number') return value;
    const { int } = (value ?? {}) as { readonly int?: unknown };
    return typeof int === 'string' && /^-?\d{1,19}$/.test(int) ? BigInt(int) : refuse();
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return refuse();
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return refuse();
  return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, property(value)]));
}
