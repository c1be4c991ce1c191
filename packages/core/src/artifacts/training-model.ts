import { GradwareError } from '../errors.js';
import type { Graph, Model, Node, ValueInfo } from '../onnx/ir.js';
import { usedNames } from '../onnx/names.js';
import { generateAgain } from './remedies.js';

/** A training model of ONNX Runtime without its machinery for accumulating gradients. */
export interface TrainingModel {
  /** Inputs: user inputs, then parameters; outputs: loss, additional outputs, then the gradients as `trainable` lists
   *  them. Accumulators, their buffers and `lazy_reset_grad` are gone. */
  readonly graph: Graph;
  readonly userInputs: readonly ValueInfo[];
  /** All parameters that are inputs, frozen ones too, in the order of the file. */
  readonly parameterInputs: readonly ValueInfo[];
  /** In the order of `parameterInputs`. */
  readonly trainable: readonly TrainableParameter[];
  readonly loss: string;
  /** The additional outputs, in the order of the file. */
  readonly outputs: readonly ValueInfo[];
  /** The initializer that seeds the backward pass with the gradient of the loss (1). */
  readonly seed: string | undefined;
}

export interface TrainableParameter {
  readonly parameter: string;
  readonly gradient: string;
}

export interface TrainingModelOptions {
  /** The name of the file, for error messages. */
  readonly file?: string;
  /** The names in the checkpoint. Without them, a frozen parameter that stands before the first trainable one cannot
   *  be told from a user input. */
  readonly parameters?: Iterable<string>;
}

interface Accumulator extends TrainableParameter {
  readonly node: Node;
  /** The inputs that only accumulators need. */
  readonly inputs: readonly string[];
}

/** The ops that add a gradient to a buffer, old and new: (buffer, gradient, reset or update signal). */
export const accumulatorOps: ReadonlySet<string> = new Set([
  'InPlaceAccumulator',
  'InPlaceAccumulatorV2',
]);

const gradientSuffix = '_grad';
/** The input of ORT's training models that lets a step overwrite the gradients that there are. */
export const resetName = 'lazy_reset_grad';

/** What the input is called that holds the gradients of a parameter, added up. */
export function bufferName(parameter: string): string {
  return parameter + bufferSuffix;
}

const bufferSuffix = '_grad.accumulation.buffer';

/** What a training_model.onnx trains, and how.
 *  @throws GradwareError INVALID_MODEL for a model that trains nothing, or whose accumulators match no parameter. */
export function parseTrainingModel(
  model: Model,
  options: TrainingModelOptions = {},
): TrainingModel {
  const file = options.file ?? 'the training model';
  const { graph } = model;
  const accumulators = findAccumulators(graph, file);
  const accumulated = new Set(accumulators.flatMap(({ node }) => node.outputs));
  const outputs = graph.outputs.filter(({ name }) => !accumulated.has(name));
  const found = accumulators.length > 0 ? accumulators : gradientOutputs(graph, outputs);
  const gradients = new Map(found.map(({ parameter, gradient }) => [parameter, gradient]));
  if (gradients.size === 0) {
    throw new GradwareError('INVALID_MODEL', 'This model computes no gradients of its inputs', {
      where: file,
      remedy:
        'Give the training_model.onnx of a set of training artifacts, or a forward model to be differentiated.',
    });
  }
  const promoted = new Set(gradients.values());
  const [loss, ...additional] = outputs.filter(({ name }) => !promoted.has(name));
  if (loss === undefined) invalid('The training model has no loss among its outputs', file);

  const removed = new Set(accumulators.map(({ node }) => node));
  const nodes = graph.nodes.filter((node) => !removed.has(node));
  const used = new Set([...nodes.flatMap(usedNames), ...outputs.map(({ name }) => name)]);
  const machinery = new Set(accumulators.flatMap(({ inputs }) => inputs));
  const stuck = [...accumulated].find((name) => used.has(name));
  if (stuck !== undefined) {
    invalid(`The accumulated gradient "${stuck}" is used inside the model`, file);
  }
  const inputs = graph.inputs.filter(({ name }) => !machinery.has(name) || used.has(name));
  const { userInputs, parameterInputs } = splitInputs(inputs, gradients, options.parameters);
  const trainable = parameterInputs.flatMap(({ name: parameter }) => {
    const gradient = gradients.get(parameter);
    return gradient === undefined ? [] : [{ parameter, gradient }];
  });
  const infos = new Map(parameterInputs.map((info) => [info.name, info]));
  const gradientInfos = trainable.map(
    ({ parameter, gradient }): ValueInfo => ({ ...infos.get(parameter), name: gradient }),
  );
  return {
    graph: {
      ...graph,
      nodes,
      inputs: [...userInputs, ...parameterInputs],
      outputs: [loss, ...additional, ...gradientInfos],
    },
    userInputs,
    parameterInputs,
    trainable,
    loss: loss.name,
    outputs: additional,
    seed: graph.initializers.has(loss.name + gradientSuffix)
      ? loss.name + gradientSuffix
      : undefined,
  };
}

function invalid(problem: string, where: string): never {
  throw new GradwareError('INVALID_MODEL', problem, { where, remedy: generateAgain });
}

const without = (name: string, suffix: string): string | undefined =>
  name.endsWith(suffix) ? name.slice(0, -suffix.length) : undefined;

function findAccumulators(graph: Graph, file: string): readonly Accumulator[] {
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  const accumulators = graph.nodes
    .filter(({ domain, opType }) => domain === 'com.microsoft' && accumulatorOps.has(opType))
    .map((node): Accumulator => {
      const where = `${file}, node "${node.name}" (${node.opType})`;
      const [buffer = '', gradient = '', signal = ''] = node.inputs;
      // Only the names connect a gradient with its parameter.
      const parameter = [without(buffer, bufferSuffix), without(gradient, gradientSuffix)].find(
        (name) => name !== undefined && inputs.has(name),
      );
      if (parameter === undefined) {
        return invalid(`The gradient "${gradient}" belongs to no input of the model`, where);
      }
      return { node, parameter, gradient, inputs: [buffer, signal] };
    });
  const names = accumulators.map(({ parameter }) => parameter);
  const seen = new Set<string>();
  const repeated = names.find((name) => seen.size === seen.add(name).size);
  if (repeated !== undefined) {
    invalid(`The gradient of "${repeated}" is accumulated more than once`, file);
  }
  return accumulators;
}

/** Graphs without accumulators give the gradients as outputs: there the names are all there is. */
function gradientOutputs(
  graph: Graph,
  outputs: readonly ValueInfo[],
): readonly TrainableParameter[] {
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  // The first output is the loss, whatever its name.
  return outputs.slice(1).flatMap(({ name: gradient }) => {
    const parameter = without(gradient, gradientSuffix);
    return parameter !== undefined && inputs.has(parameter) ? [{ parameter, gradient }] : [];
  });
}

function splitInputs(
  inputs: readonly ValueInfo[],
  gradients: ReadonlyMap<string, string>,
  parameters: Iterable<string> | undefined,
): { userInputs: readonly ValueInfo[]; parameterInputs: readonly ValueInfo[] } {
  const known = parameters === undefined ? undefined : new Set(parameters);
  const first = inputs.findIndex(({ name }) => gradients.has(name));
  const isParameter = ({ name }: ValueInfo, index: number): boolean =>
    gradients.has(name) || (known === undefined ? index >= first : known.has(name));
  return {
    userInputs: inputs.filter((input, index) => !isParameter(input, index)),
    parameterInputs: inputs.filter(isParameter),
  };
}
