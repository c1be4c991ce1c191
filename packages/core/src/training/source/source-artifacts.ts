import type { OptimizerDescription } from '../../artifacts/optimizer-model.js';
import type { Checkpoint } from '../../artifacts/ort-checkpoint.js';
import { withEmptyStates } from '../../artifacts/recurrent-inputs.js';
import { parseTrainingModel } from '../../artifacts/training-model.js';
import { GradwareError } from '../../errors.js';
import { filled } from '../../graph/constants.js';
import { isTrainingOp } from '../../graph/dialect.js';
import { inferTypes, type ShapeOracle } from '../../graph/infer.js';
import { upgradeModel } from '../../graph/upgrade.js';
import type { Value } from '../../graph/value.js';
import type { Provider } from '../../lowering/rule.js';
import { tensorElement } from '../../onnx/element-types.js';
import type { Graph, Model, TensorData, ValueInfo } from '../../onnx/ir.js';
import { optimizerFromArtifacts } from '../../optimizers/from-artifacts.js';
import type { TrainingGraph } from '../../step/training-graph.js';
import { evaluationForm } from './batch-norm.js';
import { extractModel, predictionOf } from './extract.js';
import { requireKnownOps } from './known-ops.js';
import { loweredEvaluation, lowersEvaluation } from './lowered-evaluation.js';
import { scoreOutputs } from './score-outputs.js';
import type { ModelSource } from './source.js';

export interface Artifacts {
  readonly training: Model;
  readonly checkpoint: Checkpoint;
  readonly evaluation: Model | undefined;
  readonly optimizer: OptimizerDescription | undefined;
  /** Where they came from, for messages. */
  readonly file: string;
}

/** Inputs that give one dimension several sizes: what ONNX Runtime says of them blames the model. */
function disagreement(
  declared: readonly ValueInfo[],
  given: readonly Value[],
  file: string,
): GradwareError | undefined {
  const known = new Map<string, { readonly name: string; readonly size: number }>();
  for (const { name, shape = [] } of declared) {
    const own = given.find((value) => value.name === name)?.shape ?? [];
    for (const [i, size] of own.entries()) {
      const dim = shape[i];
      if (typeof dim !== 'string') continue;
      const first = known.get(dim) ?? { name, size };
      known.set(dim, first);
      if (first.size !== size)
        return new GradwareError(
          'INVALID_DATA',
          `The inputs disagree on "${dim}": it is ${first.size} in "${first.name}", and ${size} in "${name}"`,
          { where: file, remedy: 'Feed as many of one as of the other.' },
        );
    }
  }
  return undefined;
}

/** What ORT's session uses until it is told otherwise. */
const ortLearningRate = 0.001;

/** Training artifacts that ORT's own tools (or `generateArtifacts`) wrote.
 *  @throws GradwareError INVALID_CHECKPOINT where checkpoint and training model do not fit */
export function artifactSource(artifacts: Artifacts, oracle: ShapeOracle): ModelSource {
  const { checkpoint, file } = artifacts;
  const evaluation = artifacts.evaluation && evaluationForm(artifacts.evaluation);
  // A loss that only ORT's training runtime has kernels for is lowered as in steps.
  const isForeign =
    evaluation?.graph.nodes.some(({ opType, domain }) => isTrainingOp(opType, domain)) === true;
  const isLowered = (provider: Provider) => isForeign || lowersEvaluation(provider);
  const held = new Map([...checkpoint.trainable, ...checkpoint.frozen]);
  const upgraded = upgradeModel(withEmptyStates(artifacts.training));
  const parsed = parseTrainingModel(upgraded, { file, parameters: held.keys() });
  requireKnownOps(parsed.graph.nodes, file);
  const parameters = matchParameters(parsed.parameterInputs, held, checkpoint.nominal, file);
  const trainable = parsed.trainable.map(({ parameter }) => parameter);
  const isTrainable = new Set(trainable);
  const running = runningStatistics(parsed.graph, parameters);
  const fixed = fixedParameters(parameters, isTrainable, checkpoint.nominal);
  const graph = {
    ...parsed.graph,
    initializers: new Map([...parsed.graph.initializers, ...fixed]),
  };

  async function build(inputs: readonly Value[]): Promise<TrainingGraph> {
    const fed = [...parameters].flatMap(([name, { type, dims }]): Value[] =>
      fixed.has(name)
        ? []
        : [{ name, type, shape: dims, ...(isTrainable.has(name) && { parameter: name }) }],
    );
    const builder = await inferTypes(graph, [...inputs, ...fed], oracle).catch((error) => {
      throw disagreement(parsed.userInputs, inputs, file) ?? error;
    });
    const loss = builder.value(parsed.loss);
    return {
      builder,
      inputs,
      trainable: parsed.trainable.map(({ parameter, gradient }) => ({
        parameter: builder.value(parameter),
        gradient: builder.value(gradient),
      })),
      frozen: fed.filter(({ name }) => !isTrainable.has(name) && !running.has(name)),
      statistics: [...running].map(([value, next]) => ({
        value: builder.value(value),
        next: builder.value(next),
      })),
      loss,
      outputs: parsed.outputs.map(({ name }) => builder.value(name)),
      seed: builder.value(parsed.seed ?? parsed.loss),
    };
  }

  function needEvaluation(): Model {
    if (evaluation === undefined)
      throw new GradwareError('UNSUPPORTED', 'These artifacts have no eval_model', {
        where: file,
        remedy: 'Give evalModel, or generate the artifacts with it.',
      });
    return evaluation;
  }

  async function evaluationFor(values: readonly Value[], provider: Provider) {
    const { graph: own } = upgradeModel(needEvaluation());
    const fed = own.inputs.flatMap(({ name }): readonly Value[] => {
      const held = fixed.has(name) ? undefined : parameters.get(name);
      return held === undefined ? [] : [{ name, type: held.type, shape: held.dims }];
    });
    const inputs = [...values, ...fed];
    const initializers = new Map([...own.initializers, ...fixed]);
    const builder = await inferTypes({ ...own, initializers }, inputs, oracle);
    return loweredEvaluation(builder, inputs, evalOutputs, provider);
  }

  const evalInputs = (evaluation?.graph.inputs ?? []).filter(
    ({ name }) => !parameters.has(name) && !evaluation?.graph.initializers.has(name),
  );
  const evalInputNames = evalInputs.map(({ name }) => name);
  const evalOutputs = (evaluation?.graph.outputs ?? []).map(({ name }) => name);
  return {
    kind: 'artifacts',
    file,
    inputs: parsed.userInputs,
    targets: [],
    ignoredLabel: -1,
    outputNames: [parsed.loss, ...parsed.outputs.map(({ name }) => name)],
    evalInputs,
    evalOutputs,
    scoreOutputs: evaluation && scoreOutputs(evaluation.graph, evalOutputs),
    parameters,
    trainable,
    frozen: [...parameters.keys()].filter((name) => !isTrainable.has(name) && !running.has(name)),
    fixed: new Set(fixed.keys()),
    statistics: [...running.keys()],
    optimizer: artifacts.optimizer && optimizerFromArtifacts(artifacts.optimizer),
    optimizerState: checkpoint.optimizer,
    properties: checkpoint.properties,
    nominal: checkpoint.nominal,
    defaultLearningRate: ortLearningRate,
    warnings: [],
    build,
    async evaluation(values, provider) {
      const own = isLowered(provider)
        ? await evaluationFor(values, provider)
        : { model: needEvaluation() };
      return { ...own, inputs: evalInputNames, outputs: evalOutputs };
    },
    evaluationIsDynamic: (provider) => !isLowered(provider),
    exported(values, outputs) {
      const model = needEvaluation();
      const [loss = '', ...others] = evalOutputs;
      const prediction = predictionOf(model.graph, loss, parameters.keys());
      const chosen =
        outputs ?? (others.length > 0 ? others : prediction === undefined ? [] : [prediction]);
      if (chosen.length === 0)
        throw new GradwareError(
          'INVALID_OPTION',
          'It is not plain which outputs the exported model should have',
          {
            where: file,
            remedy: 'Name them: exportModel({ outputs: [...] }).',
          },
        );
      return extractModel(model, chosen, values);
    },
  };
}

/** Running statistics, and what a step makes of them. Those that are constants of the graph cannot persist; ORT lets
 *  them be, too. */
function runningStatistics(
  graph: Graph,
  parameters: ReadonlyMap<string, TensorData>,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { opType, inputs, outputs } of graph.nodes) {
    if (opType !== 'BatchNormInternal') continue;
    for (const i of [0, 1]) {
      const [value = '', next = ''] = [inputs[3 + i], outputs[1 + i]];
      if (parameters.has(value) && next !== '') found.set(value, next);
    }
  }
  return found;
}

/** Parameters that no kernel of ORT's trains: shapes, axes and indices, where every initializer was made an input. What
 *  a Reshape makes of them has to be known before anything runs. */
function fixedParameters(
  parameters: ReadonlyMap<string, TensorData>,
  trainable: ReadonlySet<string>,
  nominal: boolean,
): ReadonlyMap<string, TensorData> {
  if (nominal) return new Map();
  return new Map(
    [...parameters].filter(([name, { type }]) => !trainable.has(name) && !type.includes('float')),
  );
}

/** The checkpoint's values for the parameters that the training model asks for, in its order. */
function matchParameters(
  wanted: readonly ValueInfo[],
  held: ReadonlyMap<string, TensorData>,
  nominal: boolean,
  file: string,
): ReadonlyMap<string, TensorData> {
  return new Map(
    wanted.map(({ name, type, shape }) => {
      const tensor = held.get(name);
      if (tensor === undefined)
        throw new GradwareError('INVALID_CHECKPOINT', `The checkpoint has no parameter "${name}"`, {
          where: file,
          remedy: 'Use the checkpoint that was generated with this training model.',
        });
      const fits =
        shape === undefined ||
        (shape.length === tensor.dims.length &&
          shape.every((dim, i) => typeof dim !== 'number' || dim === tensor.dims[i]));
      if (!nominal && (!fits || (type !== undefined && type !== tensor.type)))
        throw new GradwareError(
          'INVALID_CHECKPOINT',
          `The checkpoint has ${tensor.type}[${tensor.dims}] for "${name}", the training model wants ${type}[${shape}]`,
          {
            where: file,
            remedy: 'Use the checkpoint that was generated with this training model.',
          },
        );
      return [name, nominal ? nominalTensor(name, type, shape, tensor, file) : tensor];
    }),
  );
}

/** A nominal checkpoint holds names only; shapes come from the training model. */
function nominalTensor(
  name: string,
  type: ValueInfo['type'],
  shape: ValueInfo['shape'],
  tensor: TensorData,
  file: string,
): TensorData {
  const dims = shape?.filter((dim): dim is number => typeof dim === 'number');
  if (dims === undefined || dims.length !== shape?.length)
    throw new GradwareError('INVALID_CHECKPOINT', `The shape of "${name}" is not known`, {
      where: file,
      remedy:
        'A nominal checkpoint needs a training model that states the shapes of its parameters.',
    });
  return filled(tensorElement({ type }) ?? tensor.type, dims, 0);
}
