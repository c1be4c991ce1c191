import { GradwareError } from '../errors.js';
import type { GraphBuilder, Op } from '../graph/builder.js';
import type { Value } from '../graph/value.js';
import { isFloatType } from '../onnx/element-types.js';
import type { DataType, Graph } from '../onnx/ir.js';
import { checkOptions, type Given, type Options, type Resolved } from '../options/options.js';

export interface LossContext {
  readonly op: Op;
  readonly builder: GraphBuilder;
  /** What the model predicts: its outputs, or those that were chosen for the loss. */
  readonly predictions: readonly Value[];
  /** A graph input that holds the truth; the model's own input of that name where it has one. */
  target(name: string, type: DataType, shape: readonly number[]): Value;
}

/** Appends nodes to a forward graph that end in what is minimised: a float scalar of shape []. */
export interface Loss {
  readonly name: string;
  /** For losses that are graphs of any ops: nodes (and initializers) to be typed and added before `build`. */
  readonly graph?: ((context: LossContext) => Pick<Graph, 'nodes' | 'initializers'>) | undefined;
  build(context: LossContext): Value;
}

export interface LossDefinition<O extends Options> {
  readonly name: string;
  readonly description: string;
  readonly options: O;
  build(context: LossContext, options: Resolved<O>): Value;
}

export interface LossFactory<O extends Options> {
  (given?: Given<O>): Loss;
  readonly definition: LossDefinition<O>;
}

/** Makes a loss factory from its declaration.
 *  @throws GradwareError INVALID_OPTION from the factory, naming loss and option */
export function defineLoss<const O extends Options>(definition: LossDefinition<O>): LossFactory<O> {
  const factory = (given: Given<O> = {}): Loss => {
    const { constants } = checkOptions(definition.name, definition.options, given);
    return {
      name: definition.name,
      build: (context) => definition.build(context, constants as Resolved<O>),
    };
  };
  return Object.assign(factory, { definition });
}

/** The one prediction of a loss that takes one.
 *  @throws GradwareError INVALID_MODEL where the model offers none, several, or no floats */
export function onlyPrediction(loss: string, predictions: readonly Value[]): Value {
  const [first, ...others] = predictions;
  if (first !== undefined && others.length === 0 && isFloatType(first.type)) return first;
  const names = predictions.map(({ name, type }) => `${name} (${type})`).join(', ') || 'none';
  throw new GradwareError(
    'INVALID_MODEL',
    `The loss ${loss} takes one prediction of floats, and the model gives ${names}`,
    { remedy: 'Choose the output that the loss is computed from with lossInputNames.' },
  );
}
