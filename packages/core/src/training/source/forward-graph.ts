import { GradwareError } from '../../errors.js';
import type { GraphBuilder } from '../../graph/builder.js';
import { loadForms } from '../../graph/decompose/index.js';
import { addTyped, inferTypes, type ShapeOracle } from '../../graph/infer.js';
import { refuseShapedByData, shapedByData } from '../../graph/known-numbers.js';
import { prune } from '../../graph/order.js';
import { elementCount, sameShape, type Value } from '../../graph/value.js';
import { avoidVectorProducts } from '../../graph/vector-products.js';
import type { Loss, LossContext } from '../../losses/loss.js';
import type { Graph, Node, TensorData } from '../../onnx/ir.js';
import { didYouMean } from '../../options/nearest.js';
import { frozen, isBatchNorm } from './batch-norm.js';
import type { FedValue } from './source.js';
import type { ParameterChoice } from './trainable.js';

/** What a forward graph with a loss is made of. */
export interface ForwardParts {
  readonly loss: Loss;
  /** The outputs that the loss is computed from. */
  readonly predictions: readonly string[];
  /** What is fed beside the data: an input instead of an initializer. */
  readonly parameters: ReadonlyMap<string, TensorData>;
  readonly trainable: ReadonlySet<string>;
  readonly file: string;
}

/** A forward graph with its loss, typed. */
export interface LaidForward {
  readonly builder: GraphBuilder;
  /** Inputs that the loss added. */
  readonly targets: readonly Value[];
  readonly weights: readonly Value[];
  readonly loss: Value;
  /** The model's own inputs, then the targets. */
  readonly inputs: readonly Value[];
}

/** A forward graph without its loss, typed. */
export interface TypedForward {
  readonly builder: GraphBuilder;
  readonly weights: readonly Value[];
  /** The model's own inputs. */
  readonly inputs: readonly Value[];
  /** All that was given, by name. */
  readonly own: ReadonlyMap<string, Value>;
  /** Whether branches were left out that what is fed does not take. */
  readonly switched: boolean;
}

/** Types a forward graph for inputs of exact shapes and appends the loss.
 *  @param given the model's inputs, and targets where their shapes are known, in any order */
export async function layForward(
  graph: Graph,
  parts: ForwardParts,
  given: readonly FedValue[],
  oracle: ShapeOracle,
): Promise<LaidForward> {
  return appendLoss(await typeForward(graph, parts, given, oracle), parts, oracle);
}

/** @throws GradwareError INVALID_MODEL for a graph that is wrong, at these sizes or at any */
export async function typeForward(
  graph: Graph,
  { parameters, trainable, file }: ForwardParts,
  given: readonly FedValue[],
  oracle: ShapeOracle,
): Promise<TypedForward> {
  const own = new Map(given.map((input) => [input.name, input]));
  const weights = [...parameters].map(
    ([name, { type, dims }]): Value => ({
      name,
      type,
      shape: dims,
      ...(trainable.has(name) && { parameter: name }),
    }),
  );
  const bare = { ...graph, initializers: without(graph.initializers, parameters) };
  const inputs = fedInputs(graph)
    .map(({ name }) => own.get(name))
    .filter((value) => value !== undefined);
  requireSizes(inputs, file);
  const known = given.flatMap(({ name, numbers }) => (numbers ? [[name, numbers] as const] : []));
  const switched = known.length > 0;
  const taken = switched
    ? await (await import('./switches.js')).takeBranches(bare, new Map(known), oracle)
    : bare;
  const builder = await inferTypes(taken, [...inputs, ...weights], oracle).catch((error) => {
    throw at(error, inputs, file);
  });
  requireSizes(builder.values.values(), file);
  return { builder, weights, inputs, own, switched };
}

/** @throws GradwareError for a loss that does not fit what the graph predicts */
export async function appendLoss(
  { builder, weights, inputs, own }: TypedForward,
  { loss, predictions, file }: ForwardParts,
  oracle: ShapeOracle,
): Promise<LaidForward> {
  const targets: Value[] = [];
  const context: LossContext = {
    op: builder.op,
    builder,
    predictions: predictions.map((name) => builder.value(name)),
    target: (name, type, shape) => {
      const known = builder.values.get(name);
      if (known !== undefined) return known;
      const wanted = { name, type, shape };
      const value = declareTarget(builder, own.get(name), wanted, context.predictions, file);
      targets.push(value);
      return value;
    },
  };
  const added = loss.graph?.(context);
  if (added !== undefined) {
    for (const [name, tensor] of added.initializers) builder.initializer(name, tensor);
    await addTyped(builder, added.nodes, oracle);
  }
  const total = builder.scoped('loss', () => loss.build(context));
  await loadForms(builder.nodes);
  const isKnown = (name: string) => builder.constant(name) !== undefined;
  refuseShapedByData(shapedByData(prune(builder.nodes, [total.name]), isKnown));
  avoidVectorProducts(builder);
  return {
    builder,
    targets,
    weights,
    loss: namedLoss(builder, total),
    inputs: [...inputs, ...targets],
  };
}

/** Where a graph was refused that names no place: with inputs of other shapes it may be right. */
function at(error: unknown, inputs: readonly Value[], file: string): unknown {
  if (!(error instanceof GradwareError) || error.where !== undefined) return error;
  const shapes = inputs.map(({ name, shape }) => `${name} [${shape}]`).join(', ');
  return new GradwareError(error.code, error.problem, {
    where: shapes === '' ? file : `${file}, with ${shapes}`,
    ...(error.remedy !== undefined && { remedy: error.remedy }),
    cause: error.cause,
  });
}

/** What a tensor may have at most: kernels count in 32 bits. */
const mostElements = 2 ** 31 - 1;

function requireSizes(values: Iterable<Value>, file: string): void {
  for (const { name, shape } of values)
    if (elementCount(shape) > mostElements)
      throw new GradwareError(
        'UNSUPPORTED',
        `A value of ${elementCount(shape)} elements is too large: 2^31 - 1 is the most`,
        {
          where: `${file}, value "${name}" of shape [${shape}]`,
          remedy: 'Take smaller batches, or export the model with smaller dimensions.',
        },
      );
}

/** The inputs of a graph that have no value of their own. */
export function fedInputs({ inputs, initializers }: Graph) {
  return inputs.filter(({ name }) => !initializers.has(name));
}

function without(
  initializers: ReadonlyMap<string, TensorData>,
  removed: ReadonlyMap<string, TensorData>,
): ReadonlyMap<string, TensorData> {
  return new Map([...initializers].filter(([name]) => !removed.has(name)));
}

/** What goes to the loss: the first output, unless others, or values within the graph, are named.
 *  @throws GradwareError INVALID_OPTION for what the model does not compute */
export function predictionNames(
  graph: Graph,
  wanted: readonly string[] | undefined,
  file: string,
): readonly string[] {
  const outputs = graph.outputs.map(({ name }) => name);
  const computed = new Set([...outputs, ...graph.nodes.flatMap((node) => node.outputs)]);
  for (const name of wanted ?? [])
    if (!computed.has(name) || name === '')
      throw new GradwareError('INVALID_OPTION', `The model has no output "${name}" for the loss`, {
        where: file,
        remedy: didYouMean(name, outputs, `Its outputs are ${outputs.join(', ')}.`),
      });
  const first = outputs[0];
  return wanted ?? (first === undefined ? [] : [first]);
}

export function refuseNothingToTrain(choices: readonly ParameterChoice[], file: string): never {
  const why = choices.map(({ name, why: reason }) => `${name}: ${reason}`).slice(0, 5);
  throw new GradwareError('INVALID_MODEL', 'Nothing in this model trains', {
    where: file,
    remedy:
      why.length > 0
        ? `Its float initializers: ${why.join('; ')}.`
        : 'It has no float initializers.',
  });
}

function declareTarget(
  builder: GraphBuilder,
  fed: Value | undefined,
  wanted: Value,
  predictions: readonly Value[],
  file: string,
): Value {
  if (fed !== undefined && (fed.type !== wanted.type || `${fed.shape}` !== `${wanted.shape}`))
    throw new GradwareError(
      'INVALID_DATA',
      `The loss wants ${wanted.type}[${wanted.shape}] as "${wanted.name}", not ${fed.type}[${fed.shape}]`,
      { where: file, remedy: targetRemedy(fed, wanted, predictions) },
    );
  return builder.declare(wanted);
}

function targetRemedy(fed: Value, wanted: Value, predictions: readonly Value[]): string {
  const given = predictions.map(({ name, shape }) => `"${name}" is [${shape}]`).join(', ');
  const classesLast = predictions.some(({ shape }) => sameShape(shape.slice(0, -1), fed.shape));
  if (wanted.type.startsWith('int') && fed.shape.length > 1 && classesLast)
    return `The prediction ${given}: where its last axis is that of the classes, say so, crossEntropy({ axis: -1 }) or --loss cross-entropy:axis=-1.`;
  return `It goes with the prediction: ${given}. Give it that many values, or choose another loss.`;
}

/** The loss is an output of its own, under a name that says what it is. */
function namedLoss(builder: GraphBuilder, total: Value): Value {
  const name = builder.values.has('loss') ? builder.fresh('loss') : 'loss';
  return builder.emit('Identity', [total], {}, { outputs: [name], name })[0] as Value;
}

/** Dropout off, batch norms by their running statistics: what a model computes when it is used. */
export function evaluationMode(graph: Graph): Graph {
  const nodes = graph.nodes.map((node): Node => {
    if (isBatchNorm(node)) return frozen(node);
    if (node.opType !== 'Dropout' || node.domain !== '') return node;
    return { ...node, inputs: node.inputs.slice(0, 2) };
  });
  return { ...graph, nodes };
}
