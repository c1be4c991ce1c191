import { GradwareError } from '../../errors.js';
import { differentiate } from '../../gradients/differentiate.js';
import type { ShapeOracle } from '../../graph/infer.js';
import { irVersion, opset } from '../../graph/opset.js';
import { sortNodes } from '../../graph/order.js';
import { upgradeModel } from '../../graph/upgrade.js';
import { elementCount, type Value } from '../../graph/value.js';
import type { Loss } from '../../losses/loss.js';
import type { Model, TensorData, ValueInfo } from '../../onnx/ir.js';
import { didYouMean } from '../../options/nearest.js';
import { type BatchNormMode, trainingForm } from './batch-norm.js';
import { besideSteps, withBeside } from './beside-steps.js';
import { layExample } from './example.js';
import { extractModel } from './extract.js';
import {
  appendLoss,
  evaluationMode,
  type ForwardParts,
  fedInputs,
  layForward,
  predictionNames,
  refuseNothingToTrain,
  type TypedForward,
  typeForward,
} from './forward-graph.js';
import { shortest } from './graph-form.js';
import { nodesOfSteps } from './known-ops.js';
import { lossWarnings } from './loss-warnings.js';
import { loweredEvaluation, lowersEvaluation } from './lowered-evaluation.js';
import type { EvaluationModel, ModelSource } from './source.js';
import {
  chooseParameters,
  evaluationExportWarnings,
  isSetting,
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
}

/** A plain forward model, which Gradware differentiates itself.
 *  @throws GradwareError where nothing trains, an op has no gradient, or the loss does not fit the model */
export async function forwardSource(
  given: ForwardModel,
  oracle: ShapeOracle,
): Promise<ModelSource> {
  const { file, loss } = given;
  const original = given.model.graph;
  const { graph: upgraded, opsets } = upgradeModel(given.model);
  const { graph: whole, statistics } = trainingForm(upgraded, given.batchNorm);
  const fedByUser = fedInputs(whole);
  const predictions = predictionNames(whole, given.lossInputNames, file);
  const extra = given.additionalOutputNames ?? [];
  const allOutputs = original.outputs.map(({ name }) => name);
  const needed = [...predictions, ...extra, ...statistics.values()];
  const graph = { ...whole, nodes: nodesOfSteps(whole.nodes, needed, allOutputs, file) };
  const inSteps = new Set(graph.nodes.flatMap((node) => node.outputs));
  const { requiresGrad, frozenParams, straightThrough } = given;
  const choices = chooseParameters(graph, predictions, requiresGrad, frozenParams, straightThrough);
  const trainable = choices.filter(({ trains }) => trains).map(({ name }) => name);
  if (trainable.length === 0) refuseNothingToTrain(choices, file);
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
  const isTrainable = new Set(trainable);
  const running = choices.filter(follows).map(({ name }) => name);
  const isFrozen = (name: string) => !isTrainable.has(name) && !running.includes(name);

  const parts: ForwardParts = { loss, predictions, parameters, trainable: isTrainable, file };

  const training = graph;
  const inference = evaluationMode(upgraded);
  const evaluation = {
    ...inference,
    nodes: inference.nodes.filter((node) => node.outputs.some((name) => inSteps.has(name))),
  };
  const beside = await besideSteps({ graph: inference, opsets }, inSteps, parameters, oracle);
  const outputNames = allOutputs.filter((name) => !beside.refused.includes(name));
  const type = (values: readonly Value[]) => typeForward(training, parts, values, oracle);
  const layWhole = async (typed: TypedForward, { longestUnrolled } = shortest) => {
    const laid = await appendLoss(typed, parts, oracle);
    const backward = differentiate(
      laid.builder,
      laid.loss,
      trainable,
      straightThrough,
      longestUnrolled,
    );
    return { ...laid, ...backward };
  };
  const example = await layExample(
    { graph: training, ...parts, type, lay: (typed: TypedForward) => layWhole(typed) },
    oracle,
  );
  const targets = example.targets.map(
    ({ name, type, shape }): ValueInfo => ({ name, type, shape: shape.map(() => null) }),
  );
  const inputs = [...fedByUser, ...targets];
  const known = new Set([...example.values, ...inSteps]);
  for (const name of extra) requireValue(known, name, file);

  return {
    kind: 'forward',
    file,
    inputs,
    targets: targets.map(({ name }) => name),
    outputNames: [example.loss, ...extra],
    evalInputs: inputs,
    evalOutputs: [example.loss, ...outputNames],
    parameters,
    trainable,
    frozen: [...parameters.keys()].filter(isFrozen),
    statistics: running,
    optimizer: undefined,
    optimizerState: undefined,
    nominal: false,
    defaultLearningRate: undefined,
    warnings: [
      ...evaluationExportWarnings(original, given.batchNorm),
      ...lossWarnings(loss.name, original, predictions),
    ],
    async build(values, form) {
      const laid = await layWhole(await type(values), form);
      const { builder, seed, gradients } = laid;
      return {
        builder,
        inputs: laid.inputs,
        trainable: trainable.map((name) => ({
          parameter: builder.value(name),
          gradient: gradients.get(name) as Value,
        })),
        frozen: laid.weights.filter(({ name }) => isFrozen(name)),
        statistics: running.map((name) => ({
          value: builder.value(name),
          next: builder.value(statistics.get(name) ?? name),
        })),
        loss: laid.loss,
        outputs: extra.map((name) => builder.value(name)),
        seed,
      };
    },
    async evaluation(values, provider): Promise<EvaluationModel> {
      const laid = await layForward(evaluation, parts, values, oracle);
      const { builder } = laid;
      const outputs = [laid.loss.name, ...outputNames];
      const laidOutputs = outputs.filter((name) => !beside.outputs.includes(name));
      const fed = [...laid.inputs, ...laid.weights];
      const names = laid.inputs.map(({ name }) => name);
      if (lowersEvaluation(provider)) {
        const roots = [...new Set([...laidOutputs, ...beside.taken])];
        const { model, known } = loweredEvaluation(builder, fed, roots, provider);
        return { model: withBeside(model, beside, outputs), known, inputs: names, outputs };
      }
      const model: Model = {
        ...given.model,
        opsets: new Map([...given.model.opsets, ['', opset]]),
        irVersion,
        graph: {
          name: original.name,
          nodes: sortNodes(builder.nodes),
          inputs: fed,
          outputs: laidOutputs.map((name) => ({ ...builder.value(name) })),
          initializers: builder.initializers,
          valueInfo: new Map(),
        },
      };
      return { model: withBeside(model, beside, outputs), inputs: names, outputs };
    },
    evaluationIsDynamic: () => false,
    exported: (values, outputs) =>
      extractModel(
        { ...given.model, graph: evaluationMode(original) },
        outputs ?? allOutputs,
        values,
      ),
  };
}

/** @throws GradwareError INVALID_OPTION for a value that the model does not make, with the nearest names */
function requireValue(known: ReadonlySet<string>, name: string, file: string): void {
  if (known.has(name)) return;
  throw new GradwareError('INVALID_OPTION', `The model has no value "${name}" to return`, {
    where: file,
    remedy: didYouMean(name, known, 'Name an output of one of its nodes.'),
  });
}
