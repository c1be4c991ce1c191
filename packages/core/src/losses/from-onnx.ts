import { GradwareError } from '../errors.js';
import { upgradeModel } from '../graph/upgrade.js';
import { sameShape, type Value } from '../graph/value.js';
import { decodeModel } from '../onnx/decode-any-model.js';
import type { DataType, Dim, Graph, Model, ValueInfo } from '../onnx/ir.js';
import { renameGraph } from '../onnx/rename.js';
import { oneNumber } from './function.js';
import type { Loss, LossContext } from './loss.js';

export interface OnnxLossOptions {
  readonly name?: string;
  /** The inputs of the loss model that are predictions, in the order of `lossInputNames`. Default: its first inputs,
   *  as many as there are predictions. The others become inputs of the training: the truth. */
  readonly predictions?: readonly string[];
}

/** A loss that is an ONNX model: it takes predictions and the truth, and its first output is one number.
 *
 *  The truth gets the names of the model's other inputs. Where their dimensions are names, they are those that a
 *  prediction has under the same name: for inputs y ["n", "classes"] and weight ["n"], weight has one number a row.
 *  @param bytes an .onnx file
 *  @throws GradwareError INVALID_MODEL, UNSUPPORTED for a model that is no loss; the rest when a session opens */
export function onnxLoss(bytes: Uint8Array, options: OnnxLossOptions = {}): Loss {
  const { name = 'onnx' } = options;
  const file = `the loss ${name}`;
  const decoded = decodeModel(bytes, { file });
  if (decoded.functions.length > 0)
    throw new GradwareError('UNSUPPORTED', 'A loss model cannot have functions of its own', {
      where: file,
      remedy: 'Inline them (onnx.inliner.inline_local_functions).',
    });
  const { graph } = upgradeModel(decoded);
  const inputs = graph.inputs.filter((input) => !graph.initializers.has(input.name));
  const [result] = graph.outputs;
  if (result === undefined)
    throw new GradwareError('INVALID_MODEL', 'A loss model needs an output', {
      where: file,
      remedy: 'Make the loss its first output.',
    });
  for (const wanted of options.predictions ?? [])
    if (!inputs.some((input) => input.name === wanted))
      throw new GradwareError('INVALID_OPTION', `The loss model has no input "${wanted}"`, {
        where: file,
        remedy: `Its inputs are ${inputs.map((input) => input.name).join(', ')}.`,
      });
  const inner = (value: string) => `${name}/${value}`;
  return {
    name,
    graph: (context) => connect({ name, graph, inputs, inner }, context, options.predictions),
    build: (context) => oneNumber(name, context, context.builder.value(inner(result.name))),
  };
}

interface LossModel {
  readonly name: string;
  readonly graph: Model['graph'];
  readonly inputs: readonly ValueInfo[];
  readonly inner: (name: string) => string;
}

/** The nodes of the loss, its inputs replaced by predictions and targets, all else under names of its own. */
function connect(
  { name, graph, inputs, inner }: LossModel,
  { predictions, target }: LossContext,
  chosen: readonly string[] | undefined,
): Graph {
  const places = chosen ?? inputs.slice(0, predictions.length).map((input) => input.name);
  if (places.length !== predictions.length)
    throw new GradwareError(
      'INVALID_MODEL',
      `The loss ${name} takes ${places.length} predictions, and the model gives ${predictions.length}`,
      { remedy: 'Choose the outputs that the loss is computed from with lossInputNames.' },
    );
  const sizes = new Map<string, number>();
  const bound = new Map<string, string>();
  places.forEach((place, i) => {
    const info = inputs.find((input) => input.name === place) as ValueInfo;
    const prediction = predictions[i] as Value;
    bind(name, info, prediction, sizes);
    bound.set(place, prediction.name);
  });
  for (const info of inputs) {
    if (bound.has(info.name)) continue;
    const shape = (info.shape ?? [null]).map((dim) => sizeOf(name, info, dim, sizes));
    const { type } = target(info.name, (info.type ?? 'float32') as DataType, shape);
    if (type !== info.type)
      throw new GradwareError(
        'INVALID_MODEL',
        `The loss ${name} wants ${info.type} as "${info.name}", and the model's input is ${type}`,
        { remedy: 'Give both one type, or another name.' },
      );
    bound.set(info.name, info.name);
  }
  return renameGraph(graph, (value) => bound.get(value) ?? inner(value));
}

function bind(loss: string, info: ValueInfo, prediction: Value, sizes: Map<string, number>): void {
  const refuse = (): never => {
    throw new GradwareError(
      'INVALID_MODEL',
      `The loss ${loss} wants ${info.type} [${info.shape?.map((dim) => dim ?? '?')}] as "${info.name}", not ${prediction.type} [${prediction.shape}]`,
      {
        where: `prediction ${prediction.name}`,
        remedy:
          'Name other values for the loss (lossInputNames), or cast and reshape in the loss model.',
      },
    );
  };
  if (info.type !== prediction.type) refuse();
  if (info.shape === undefined) return;
  if (info.shape.length !== prediction.shape.length) refuse();
  const found = info.shape.map((dim, axis): number => {
    const size = prediction.shape[axis] ?? 0;
    if (typeof dim !== 'string') return dim ?? size;
    if (!sizes.has(dim)) sizes.set(dim, size);
    return sizes.get(dim) ?? size;
  });
  if (!sameShape(found, prediction.shape)) refuse();
}

function sizeOf(
  loss: string,
  info: ValueInfo,
  dim: Dim,
  sizes: ReadonlyMap<string, number>,
): number {
  const size = typeof dim === 'string' ? sizes.get(dim) : dim;
  if (typeof size === 'number') return size;
  throw new GradwareError(
    'INVALID_MODEL',
    `The shape of the input "${info.name}" of the loss ${loss} is not known`,
    { remedy: 'Give its dimensions as numbers, or under the names that a prediction has them.' },
  );
}
