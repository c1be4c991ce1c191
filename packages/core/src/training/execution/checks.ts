import type { Tensor } from 'onnxruntime-common';
import { GradwareError } from '../../errors.js';
import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/value.js';
import type { Provider } from '../../lowering/rule.js';
import { runTimeReach } from '../../lowering/rules/labels.js';
import type { ValueInfo } from '../../onnx/ir.js';
import { didYouMean } from '../../options/nearest.js';
import { fromTensor } from '../../runtime/tensors.js';
import type { Feeds } from '../api.js';
import type { FedValue, ModelSource } from '../source/source.js';

/** Checks the names, types and shapes of what a user feeds against what the model declares.
 *  @throws GradwareError INVALID_DATA */
export function checkFeeds(feeds: Feeds, wanted: readonly ValueInfo[]): readonly Value[] {
  const names = wanted.map(({ name }) => name);
  for (const name of Object.keys(feeds))
    if (!names.includes(name)) {
      throw new GradwareError('INVALID_DATA', `The model has no input "${name}"`, {
        remedy: didYouMean(name, names, `Its inputs are ${names.join(', ')}.`),
      });
    }
  return wanted.map((info) => checkFeed(info, feeds[info.name]));
}

/** JavaScript feeds anything. */
function requireTensor(name: string, tensor: unknown): void {
  const isTensor =
    typeof tensor === 'object' && tensor !== null && 'dims' in tensor && Array.isArray(tensor.dims);
  if (tensor === undefined || isTensor) return;
  throw new GradwareError(
    'INVALID_DATA',
    `The input "${name}" is fed something that is no Tensor`,
    {
      remedy:
        "Feed new Tensor('float32', data, dims), with Tensor from @gradware/core/node or /web.",
    },
  );
}

function checkFeed({ name, type, shape }: ValueInfo, tensor: Tensor | undefined): Value {
  requireTensor(name, tensor);
  if (tensor === undefined)
    throw new GradwareError('INVALID_DATA', `Nothing is fed for the input "${name}"`, {
      remedy: `Feed ${type ?? 'a tensor'}[${print(shape)}].`,
    });
  const dims = tensor.dims;
  const fits =
    shape === undefined ||
    (shape.length === dims.length &&
      shape.every((dim, i) => typeof dim !== 'number' || dim === dims[i]));
  if ((type !== undefined && type !== tensor.type) || !fits)
    throw new GradwareError(
      'INVALID_DATA',
      `The input "${name}" is ${type}[${print(shape)}], not ${tensor.type}[${dims}]`,
      { remedy: 'Convert the data to the type and shape of the input.' },
    );
  if (dims[0] === 0)
    throw new GradwareError('INVALID_DATA', `The input "${name}" holds no examples`, {
      remedy: 'Leave empty batches out.',
    });
  return { name, type: tensor.type as Value['type'], shape: dims };
}

/** Inputs with their numbers where branches hang on them. */
export function withSwitches(
  values: readonly Value[],
  feeds: Feeds,
  { switches }: Pick<ModelSource, 'switches'>,
): readonly FedValue[] {
  if (switches === undefined) return values;
  return values.map((value) => {
    const tensor = switches.has(value.name) ? feeds[value.name] : undefined;
    return tensor?.data === undefined ? value : { ...value, numbers: fromTensor(tensor) };
  });
}

/** What steps and evaluations of a batch are compiled for: names, types, shapes, and the numbers that branches hang on. */
export function formOf(feeds: Feeds, { switches }: Pick<ModelSource, 'switches'>): string {
  return Object.entries(feeds)
    .map(([name, tensor]) => {
      const numbers = switches?.has(name) ? tensor.data : '';
      return `${name}:${tensor.type}[${tensor.dims}]${numbers}`;
    })
    .join();
}

function print(shape: ValueInfo['shape']): string {
  return shape?.map((dim) => dim ?? '?').join(',') ?? '...';
}

/** A user input that holds class labels. */
export interface LabelInput {
  readonly input: string;
  readonly classes: number;
  /** The label that does not count, or the input that says which. */
  readonly ignored: number | string | undefined;
  /** How far from 0 that input may be. */
  readonly reach: number;
}

const passThrough = new Set(['Identity', 'Cast', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten']);

const readsLabels = /^(SoftmaxCrossEntropyLoss(Internal)?|NegativeLogLikelihoodLoss(Internal2?)?)$/;

/** Finds the inputs that a cross entropy reads as labels: out of range, they would read memory that is not theirs,
 *  or fail without a name.
 *  @param unnamed the label that is ignored where the model names none */
export function findLabels(
  builder: GraphBuilder,
  inputs: readonly Value[],
  unnamed: number | undefined,
  provider: Provider,
): readonly LabelInput[] {
  const fed = new Set(inputs.map(({ name }) => name));
  /** The input that a value holds the numbers of. */
  const origin = (value: string): string => {
    const made = builder.producer(value);
    return made && passThrough.has(made.opType) ? origin(made.inputs[0] ?? '') : value;
  };
  return builder.nodes.flatMap((node): LabelInput[] => {
    if (!readsLabels.test(node.opType)) return [];
    const scores = builder.values.get(node.inputs[0] ?? '');
    const input = origin(node.inputs[1] ?? '');
    if (scores === undefined || !fed.has(input)) return [];
    const reach = provider === 'webgpu' ? runTimeReach : Infinity;
    const found = { input, classes: scores.shape[1] ?? 0, reach };
    const { ignore_index: given } = node.attributes;
    if (given?.type === 'int') return [{ ...found, ignored: given.value }];
    const fourth = node.opType.includes('Internal') ? (node.inputs[3] ?? '') : '';
    if (fourth === '') return [{ ...found, ignored: unnamed }];
    const known = builder.constant(fourth);
    const ignored = known ? Number(known.data[0]) : origin(fourth);
    return typeof ignored === 'number' || fed.has(ignored) ? [{ ...found, ignored }] : [];
  });
}

/** Looks at every label that a run will use, each time: a tensor may have been written to since the last.
 *  @param rows the examples that are used; all where it is not given
 *  @throws GradwareError INVALID_DATA naming the first label out of range and its row */
export function checkLabels(
  labels: readonly LabelInput[],
  feeds: Feeds,
  rows?: readonly ArrayLike<number>[],
): void {
  for (const { input, classes, ignored, reach } of labels) {
    const tensor = feeds[input];
    if (tensor === undefined) continue;
    const data = tensor.data as ArrayLike<number | bigint>;
    const width = data.length / Math.max(1, tensor.dims[0] ?? 1);
    const given = typeof ignored === 'string' ? (feeds[ignored]?.data as typeof data) : undefined;
    const far =
      given && Array.prototype.find.call(given, (label) => Math.abs(Number(label)) > reach);
    if (far !== undefined)
      throw new GradwareError('INVALID_DATA', `webgpu cannot look for labels of ${far}`, {
        where: `input "${ignored}"`,
        remedy: `Ignore a label from -${reach} to ${reach}.`,
      });
    // Making a number of each bigint would take five times as long.
    const halves =
      data instanceof BigInt64Array
        ? new Uint32Array(data.buffer, data.byteOffset, 2 * data.length)
        : undefined;
    const check = (start: number, end: number) => {
      for (let at = start; at < end; at++) {
        if (halves?.[2 * at + 1] === 0 && (halves[2 * at] as number) < classes) continue;
        const label = Number(data[at]);
        if (label >= 0 && label < classes) continue;
        // A data set may have one for each of its rows.
        const row = given?.length === 1 ? 0 : Math.floor(at / width);
        if (label === (given ? Number(given[row]) : ignored)) continue;
        throw new GradwareError(
          'INVALID_DATA',
          `The label ${label} is out of range: the model has ${classes} classes, 0 to ${classes - 1}`,
          {
            where: `input "${input}", ${placeOf(at, width)}`,
            remedy: labelRemedy(label, classes),
          },
        );
      }
    };
    if (rows === undefined) check(0, data.length);
    for (const own of rows ?? [])
      for (let i = 0; i < own.length; i++)
        check((own[i] as number) * width, ((own[i] as number) + 1) * width);
  }
}

function placeOf(element: number, width: number): string {
  const row = `row ${Math.floor(element / width)}`;
  return width === 1 ? row : `${row}, element ${element % width}`;
}

function labelRemedy(label: number, classes: number): string {
  if (classes === 1)
    return 'A model with one output learns yes or no with the loss bce-with-logits, and numbers with mse.';
  if (label < 0)
    return `Correct the label, or leave it out of the loss: cross-entropy with ignoreIndex ${label}.`;
  return `Labels count from 0: where the data counts from 1, subtract 1; else give the model an output for each class.`;
}
