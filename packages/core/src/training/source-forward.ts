import { GradwareError } from '../errors.js';
import { differentiate } from '../gradients/differentiate.js';
import type { GraphBuilder } from '../graph/builder.js';
import { inferTypes, type ShapeOracle } from '../graph/infer.js';
import { sortNodes } from '../graph/order.js';
import { upgradeModel } from '../graph/upgrade.js';
import { elementCount, type Value } from '../graph/value.js';
import type { Loss } from '../losses/loss.js';
import type { DataType, Graph, Model, Node, TensorData, ValueInfo } from '../onnx/ir.js';
import { extractModel } from './extract.js';
import { requireKnownOps } from './known-ops.js';
import type { EvaluationModel, ModelSource } from './source.js';
import { chooseParameters, evaluationExportWarnings, type ParameterChoice } from './trainable.js';

export interface ForwardModel {
  readonly model: Model;
  readonly loss: Loss;
  readonly lossInputNames: readonly string[] | undefined;
  readonly requiresGrad: readonly string[] | undefined;
  readonly frozenParams: readonly string[] | undefined;
  readonly additionalOutputNames: readonly string[] | undefined;
  readonly file: string;
}

/** A plain forward model, which Gradware differentiates itself.
 *  @throws GradwareError where nothing trains, an op has no gradient, or the loss does not fit the model */
export async function forwardSource(
  given: ForwardModel,
  oracle: ShapeOracle,
): Promise<ModelSource> {
  const { file, loss } = given;
  const original = given.model.graph;
  const graph = upgradeModel(given.model).graph;
  requireKnownOps(graph.nodes, file);
  const fedByUser = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  const predictions = predictionNames(graph, given.lossInputNames, file);
  const choices = chooseParameters(graph, predictions, given.requiresGrad, given.frozenParams);
  const trainable = choices.filter(({ trains }) => trains).map(({ name }) => name);
  if (trainable.length === 0) refuseNothingToTrain(choices, file);
  // Constants of one element stay constants: rules and ONNX Runtime may look into them.
  const fed = choices.filter(({ trains, shape }) => trains || elementCount(shape) > 1);
  const parameters = new Map<string, TensorData>();
  for (const { name } of fed) {
    const tensor = graph.initializers.get(name);
    if (tensor !== undefined) parameters.set(name, tensor);
  }
  const isTrainable = new Set(trainable);
  const outputNames = original.outputs.map(({ name }) => name);

  /** The forward graph with its loss, typed for these inputs. */
  async function lay(inputs: readonly Value[], forward: Graph) {
    const own = new Map(inputs.map((input) => [input.name, input]));
    const weights = [...parameters].map(
      ([name, { type, dims }]): Value => ({
        name,
        type,
        shape: dims,
        ...(isTrainable.has(name) && { parameter: name }),
      }),
    );
    const bare = { ...forward, initializers: without(forward.initializers, parameters) };
    const model = fedByUser.map(({ name }) => own.get(name)).filter((value) => value !== undefined);
    const builder = await inferTypes(bare, [...model, ...weights], oracle);
    const targets: Value[] = [];
    const total = builder.scoped('loss', () =>
      loss.build({
        op: builder.op,
        builder,
        predictions: predictions.map((name) => builder.value(name)),
        target: (name, type, shape) => {
          const known = builder.values.get(name);
          if (known !== undefined) return known;
          const value = declareTarget(builder, own.get(name), { name, type, shape }, file);
          targets.push(value);
          return value;
        },
      }),
    );
    return {
      builder,
      targets,
      weights,
      loss: namedLoss(builder, total),
      inputs: [...model, ...targets],
    };
  }

  const training = graph;
  const evaluation = evaluationMode(graph);
  const example = await lay(fedByUser.map(exampleInput), training);
  differentiate(example.builder, example.loss, trainable);
  const targets = example.targets.map(
    ({ name, type, shape }): ValueInfo => ({ name, type, shape: shape.map(() => null) }),
  );
  const inputs = [...fedByUser, ...targets];
  const extra = given.additionalOutputNames ?? [];

  return {
    kind: 'forward',
    file,
    inputs,
    outputNames: [example.loss.name, ...extra],
    evalInputs: inputs.map(({ name }) => name),
    evalOutputs: [example.loss.name, ...outputNames],
    parameters,
    trainable,
    frozen: [...parameters.keys()].filter((name) => !isTrainable.has(name)),
    statistics: [],
    optimizer: undefined,
    optimizerState: undefined,
    nominal: false,
    defaultLearningRate: undefined,
    warnings: evaluationExportWarnings(original),
    async build(values) {
      const laid = await lay(values, training);
      const { builder } = laid;
      const { seed, gradients } = differentiate(builder, laid.loss, trainable);
      return {
        builder,
        inputs: laid.inputs,
        trainable: trainable.map((name) => ({
          parameter: builder.value(name),
          gradient: gradients.get(name) as Value,
        })),
        frozen: laid.weights.filter(({ name }) => !isTrainable.has(name)),
        statistics: [],
        loss: laid.loss,
        outputs: extra.map((name) => builder.value(name)),
        seed,
      };
    },
    async evaluation(values): Promise<EvaluationModel> {
      const laid = await lay(values, evaluation);
      const { builder } = laid;
      const outputs = [laid.loss.name, ...outputNames];
      return {
        model: {
          ...given.model,
          opsets: new Map([...given.model.opsets, ['', 21]]),
          irVersion: 10,
          graph: {
            name: original.name,
            nodes: sortNodes(builder.nodes),
            inputs: [...laid.inputs, ...laid.weights],
            outputs: outputs.map((name) => ({ ...builder.value(name) })),
            initializers: builder.initializers,
            valueInfo: new Map(),
          },
        },
        inputs: laid.inputs.map(({ name }) => name),
        outputs,
      };
    },
    evaluationIsDynamic: false,
    exported: (values, outputs) =>
      extractModel(
        { ...given.model, graph: evaluationMode(original) },
        outputs ?? outputNames,
        values,
      ),
  };
}

function without(
  initializers: ReadonlyMap<string, TensorData>,
  removed: ReadonlyMap<string, TensorData>,
): ReadonlyMap<string, TensorData> {
  return new Map([...initializers].filter(([name]) => !removed.has(name)));
}

function predictionNames(
  graph: Graph,
  wanted: readonly string[] | undefined,
  file: string,
): readonly string[] {
  const outputs = graph.outputs.map(({ name }) => name);
  for (const name of wanted ?? [])
    if (!outputs.includes(name))
      throw new GradwareError('INVALID_OPTION', `The model has no output "${name}" for the loss`, {
        where: file,
        remedy: `Its outputs are ${outputs.join(', ')}.`,
      });
  const first = outputs[0];
  return wanted ?? (first === undefined ? [] : [first]);
}

function refuseNothingToTrain(choices: readonly ParameterChoice[], file: string): never {
  const why = choices.map(({ name, why: reason }) => `${name}: ${reason}`).slice(0, 5);
  throw new GradwareError('INVALID_MODEL', 'Nothing in this model trains', {
    where: file,
    remedy:
      why.length > 0
        ? `Its float initializers: ${why.join('; ')}.`
        : 'It has no float initializers.',
  });
}

/** Open dimensions count as 1 where only names, types and gradients are asked for. */
function exampleInput({ name, type, shape }: ValueInfo): Value {
  return {
    name,
    type: (type ?? 'float32') as DataType,
    shape: (shape ?? []).map((dim) => (typeof dim === 'number' ? dim : 1)),
  };
}

function declareTarget(
  builder: GraphBuilder,
  fed: Value | undefined,
  wanted: Value,
  file: string,
): Value {
  if (fed !== undefined && (fed.type !== wanted.type || `${fed.shape}` !== `${wanted.shape}`))
    throw new GradwareError(
      'INVALID_DATA',
      `The loss wants ${wanted.type}[${wanted.shape}] as "${wanted.name}", not ${fed.type}[${fed.shape}]`,
      { where: file },
    );
  return builder.declare(wanted);
}

/** The loss is an output of its own, under a name that says what it is. */
function namedLoss(builder: GraphBuilder, total: Value): Value {
  const name = builder.values.has('loss') ? builder.fresh('loss') : 'loss';
  return builder.emit('Identity', [total], {}, { outputs: [name], name })[0] as Value;
}

/** Dropout off: what a model computes when it is used. */
function evaluationMode(graph: Graph): Graph {
  const nodes = graph.nodes.map((node): Node => {
    if (node.opType !== 'Dropout' || node.domain !== '') return node;
    return { ...node, inputs: node.inputs.slice(0, 2) };
  });
  return { ...graph, nodes };
}
