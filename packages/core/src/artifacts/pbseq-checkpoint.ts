import { GradwareError } from '../errors.js';
import type { TensorData } from '../onnx/ir.js';
import { decodeTensorSequence } from '../onnx/tensor-sequence.js';
import type { Checkpoint, OptimizerState, Property } from './ort-checkpoint.js';
import { saveAgain } from './remedies.js';

/** The names of files in the checkpoint folders that ONNX Runtime wrote before 1.16. */
const roles = {
  trainable: /(?:^|[-_])paramtrain_tensors\.pbseq$/,
  frozen: /(?:^|[-_])paramfrozen_tensors\.pbseq$/,
  momentum: /(?:^|[-_])optim_(?<group>.+)_(?<momentum>[^_]+)_tensors\.pbseq$/,
  group: /(?:^|[-_])optim_(?<group>.+)_properties\.pbseq$/,
  custom: /(?:^|[-_])custom_properties\.pbseq$/,
} as const;

const learningRateName = 'builtin.initial_learning_rate';
const stepName = 'builtin.step';

/** Whether a file is part of such a folder. */
export function isPbseqName(name: string): boolean {
  return Object.values(roles).some((role) => role.test(name));
}

interface Found {
  readonly name: string;
  readonly tensors: ReadonlyMap<string, TensorData>;
  readonly groups: Readonly<Record<string, string | undefined>>;
}

/** Reads the checkpoint folder that ONNX Runtime wrote up to 1.15: sequences of tensors, one file for each kind.
 *  @param files the content of its files by name; others than .pbseq files are passed over
 *  @throws GradwareError INVALID_CHECKPOINT naming the file and the tensor */
export function readPbseqCheckpoint(
  files: ReadonlyMap<string, Uint8Array>,
  folder: string,
): Checkpoint {
  const find = (role: keyof typeof roles): readonly Found[] =>
    [...files].flatMap(([name, bytes]) => {
      const match = roles[role].exec(name);
      if (match === null) return [];
      const tensors = decodeTensorSequence(bytes, `${folder}, ${name}`);
      return [{ name, tensors, groups: match.groups ?? {} }];
    });
  const trainable = merged(find('trainable'), folder);
  const frozen = merged(find('frozen'), folder);
  if (trainable.size + frozen.size === 0)
    invalid('The checkpoint folder holds no parameters (paramtrain_tensors.pbseq)', folder);
  const both = [...frozen.keys()].find((name) => trainable.has(name));
  if (both !== undefined) invalid(`The parameter "${both}" is both trainable and frozen`, folder);
  return {
    trainable,
    frozen,
    nominal: false,
    optimizer: optimizerOf(find('momentum'), find('group'), folder),
    properties: new Map(
      [...merged(find('custom'), folder)].map(([name, tensor]) => [
        name,
        propertyOf(name, tensor, folder),
      ]),
    ),
  };
}

function invalid(problem: string, where: string): never {
  throw new GradwareError('INVALID_CHECKPOINT', problem, { where, remedy: saveAgain });
}

function merged(found: readonly Found[], where: string): ReadonlyMap<string, TensorData> {
  const all = new Map<string, TensorData>();
  for (const { name: file, tensors } of found)
    for (const [name, tensor] of tensors) {
      if (all.has(name)) invalid(`The tensor "${name}" is there twice`, `${where}, ${file}`);
      all.set(name, tensor);
    }
  return all;
}

function propertyOf(name: string, { type, data }: TensorData, where: string): Property {
  const [value] = data;
  const fits = { float32: 'number', int64: 'bigint', string: 'string' } as Record<string, string>;
  if (data.length !== 1 || value === undefined || typeof value !== fits[type])
    return invalid(`The property "${name}" is no number and no text`, where);
  return value;
}

function optimizerOf(
  files: readonly Found[],
  settings: readonly Found[],
  folder: string,
): OptimizerState | undefined {
  const groups = new Set([...files, ...settings].map(({ groups: { group } }) => group ?? ''));
  if (groups.size === 0) return undefined;
  if (groups.size > 1)
    invalid(`The checkpoint has ${groups.size} optimizer groups where one is known`, folder);
  const momentums = new Map<string, Map<string, TensorData>>();
  for (const {
    tensors,
    groups: { momentum = '' },
  } of files)
    for (const [parameter, tensor] of tensors) {
      const own = momentums.get(parameter) ?? new Map<string, TensorData>();
      momentums.set(parameter, own.set(momentum, tensor));
    }
  const properties = merged(settings, folder);
  const number = (name: string): number => {
    const tensor = properties.get(name);
    return tensor === undefined ? 0 : Number(propertyOf(name, tensor, folder));
  };
  const step = number(stepName);
  if (!Number.isSafeInteger(step) || step < 0)
    invalid(`The optimizer has made ${step} steps`, folder);
  return { step, initialLearningRate: number(learningRateName), momentums };
}
