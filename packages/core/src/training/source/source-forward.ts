import { GradwareError } from '../../errors.js';
import { differentiate } from '../../gradients/differentiate.js';
import type { ShapeOracle } from '../../graph/infer.js';
import { upgradeModel } from '../../graph/upgrade.js';
import { elementCount, type Value } from '../../graph/value.js';
import type { Loss } from '../../losses/loss.js';
import type { Graph, Model, TensorData, ValueInfo } from '../../onnx/ir.js';
import { didYouMean } from '../../options/nearest.js';
import { type BatchNormMode, trainingForm } from './batch-norm.js';
import { layExample } from './example.js';
import { extractModel } from './extract.js';
import { forwardEvaluation } from './forward-evaluation.js';
import {
  appendLoss,
  evaluationMode,
  type ForwardParts,
  fedInputs,
  predictionNames,
  refuseNothingToTrain,
  type TypedForward,
  typeForward,
} from './forward-graph.js';
import { shortest } from './graph-form.js';
import { nodesOfSteps } from './known-ops.js';
import { lossWarnings } from './loss-warnings.js';
import type { FedValue, ModelSource } from './source.js';
import {
  chooseParameters,
  evaluationExportWarnings,
  isSetting,
  type Kinds,
  type ParameterChoice,
} from './trainable.js';

export interface ForwardModel {
  readonly model: Model;
  readonly loss: Loss;
  readonly lossInputNames: readonly string[] | undefined;
  readonly requiresGrad: readonly string[] | undefined;
  readonly frozenParams: readonly string[] | undefined;
  readonly additionalOutputNames: readonly string[] | undefined;
  readonly batchNorm?: BatchNormMode | undefined;
  readonly straightThrough?: ReadonlySet<string> | undefined;
  readonly file: string;
  readonly kinds?: Kinds | undefined;
  /** Warnings of what was lost in the export. */
  readonly traces?: readonly string[] | undefined;
}

/** A plain forward model, which Gradware differentiates itself.
 *  @throws GradwareError where nothing trains, an op has no gradient, or the loss does not fit the model */
export async function forwardSource(
  given: ForwardModel,
  oracle: ShapeOracle,
): Promise<ModelSource> {
  const { model, loss, file, straightThrough } = given;
  const extra = given.additionalOutputNames ?? [];
  const { graph: upgraded, opsets } = upgradeModel(model);
  const { graph, statistics, predictions } = stepGraph(upgraded, given, extra);
  const { parameters, trainable, running } = chooseWeights(graph, predictions, statistics, given);
  const isTrainable = new Set(trainable);
  const frozen = [...parameters.keys()].filter(
    (name) => !isTrainable.has(name) && !running.includes(name),
  );
  const isFrozen = new Set(frozen);
  const parts: ForwardParts = { loss, predictions, parameters, trainable: isTrainable, file };

  const inSteps = new Set(graph.nodes.flatMap((node) => node.outputs));
  const { outputNames, evaluation } = await forwardEvaluation(
    { model, graph: evaluationMode(upgraded), opsets, inSteps, parts },
    oracle,
  );
  const branches = graph.nodes.some(({ opType }) => opType === 'If');
  const switches = branches ? (await import('./switches.js')).switchesOf(graph) : undefined;
  const type = (values: readonly FedValue[]) => typeForward(graph, parts, values, oracle);
  const lay = async (typed: TypedForward, { longestUnrolled } = shortest) => {
    const laid = await appendLoss(typed, parts, oracle);
    return {
      ...laid,
      ...differentiate(laid.builder, laid.loss, trainable, {
        straightThrough,
        longestUnrolled,
        mayVanish: typed.switched,
      }),
    };
  };
  const example = await layExample(
    { graph, ...parts, switches, type, lay: (typed: TypedForward) => lay(typed) },
    oracle,
  );
  const targets = example.targets.map(
    ({ name, type, shape }): ValueInfo => ({ name, type, shape: shape.map(() => null) }),
  );
  const inputs = [...fedInputs(graph), ...targets];
  const known = new Set([...example.values, ...inSteps]);
  for (const name of extra) requireValue(known, name, file);

  return {
    kind: 'forward',
    file,
    inputs,
    targets: targets.map(({ name }) => name),
    switches,
    outputNames: [example.loss, ...extra],
    evalInputs: inputs,
    evalOutputs: [example.loss, ...outputNames],
    parameters,
    trainable,
    frozen,
    statistics: running,
    optimizer: undefined,
    optimizerState: undefined,
    nominal: false,
    defaultLearningRate: undefined,
    warnings: [
      ...evaluationExportWarnings(model.graph, given.batchNorm, given.traces),
      ...lossWarnings(loss.name, model.graph, predictions),
    ],
    async build(values, form) {
      const laid = await lay(await type(values), form);
      const { builder, seed, gradients } = laid;
      return {
        builder,
        inputs: laid.inputs,
        trainable: trainable.map((name) => ({
          parameter: builder.value(name),
          gradient: gradients.get(name) as Value,
        })),
        frozen: laid.weights.filter(({ name }) => isFrozen.has(name)),
        statistics: running.map((name) => ({
          value: builder.value(name),
          next: builder.value(statistics.get(name) ?? name),
        })),
        loss: laid.loss,
        outputs: extra.map((name) => builder.value(name)),
        seed,
      };
    },
    evaluation,
    evaluationIsDynamic: () => false,
    exported: (values, outputs) =>
      extractModel(
        { ...model, graph: evaluationMode(model.graph) },
        outputs ?? model.graph.outputs.map(({ name }) => name),
        values,
      ),
  };
}

/** What a model computes in steps, before the loss.
 *  @param extra values that steps shall return beside the loss */
function stepGraph(upgraded: Graph, given: ForwardModel, extra: readonly string[]) {
  const { file } = given;
  const { graph, statistics } = trainingForm(upgraded, given.batchNorm);
  const predictions = predictionNames(graph, given.lossInputNames, file);
  const needed = [...predictions, ...extra, ...statistics.values()];
  const outputs = graph.outputs.map(({ name }) => name);
  const nodes = nodesOfSteps(graph.nodes, needed, outputs, file);
  return { graph: { ...graph, nodes }, statistics, predictions };
}

interface Weights {
  /** What is fed beside the data: all that trains, follows the batches, or could be exchanged. */
  readonly parameters: ReadonlyMap<string, TensorData>;
  readonly trainable: readonly string[];
  /** Running statistics. */
  readonly running: readonly string[];
}

/** @throws GradwareError where nothing trains, or a pattern fits no parameter */
function chooseWeights(
  graph: Graph,
  predictions: readonly string[],
  statistics: ReadonlyMap<string, string>,
  given: ForwardModel,
): Weights {
  const choices = chooseParameters(graph, predictions, given);
  const trainable = choices.filter(({ trains }) => trains).map(({ name }) => name);
  if (trainable.length === 0) refuseNothingToTrain(choices, given.file);
  const follows = ({ name, trains }: ParameterChoice) => !trains && statistics.has(name);
  // Settings and constants of one element stay constants: rules and ONNX Runtime may look into them.
  const fed = choices.filter(
    (choice) =>
      choice.trains || follows(choice) || (elementCount(choice.shape) > 1 && !isSetting(choice)),
  );
  const parameters = new Map<string, TensorData>();
  for (const { name } of fed) {
    const tensor = graph.initializers.get(name);
    if (tensor !== undefined) parameters.set(name, tensor);
  }
  return { parameters, trainable, running: choices.filter(follows).map(({ name }) => name) };
}

/** @throws GradwareError INVALID_OPTION for a value that the model does not make, with the nearest names */
function requireValue(known: ReadonlySet<string>, name: string, file: string): void {
  if (known.has(name)) return;
  throw new GradwareError('INVALID_OPTION', `The model has no value "${name}" to return`, {
    where: file,
    remedy: didYouMean(name, known, 'Name an output of one of its nodes.'),
  });
}
