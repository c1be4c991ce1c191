import { opsWithoutOrtKernel } from '../../artifacts/ort-kernels.js';
import { optimizerModel } from '../../artifacts/write-optimizer-model.js';
import { writeOrtCheckpoint } from '../../artifacts/write-ort-checkpoint.js';
import { GradwareError } from '../../errors.js';
import {
  checkStraightThrough,
  type StraightThroughOp,
} from '../../gradients/rules/straight-through.js';
import type { ShapeOracle } from '../../graph/infer.js';
import { prune } from '../../graph/order.js';
import { upgradeModel } from '../../graph/upgrade.js';
import { crossEntropy, lossByName, output } from '../../losses/index.js';
import type { Loss } from '../../losses/loss.js';
import { encodeModel } from '../../onnx/encode-model.js';
import type { Model, Node } from '../../onnx/ir.js';
import { subgraphs } from '../../onnx/names.js';
import type { Runtime } from '../../runtime/runtime.js';
import { createShapeOracle } from '../../runtime/shape-oracle.js';
import type { Source } from '../api.js';
import { fedInputs, predictionNames } from '../source/forward-graph.js';
import { nodesOfSteps } from '../source/known-ops.js';
import { type ReadForward, readForwardModel } from '../source/load.js';
import { evaluationExportWarnings } from '../source/trainable.js';
import { openDimensions } from './dimensions.js';
import { namedFiles } from './files.js';
import { layModels } from './models.js';
import { type ArtifactOptimizer, describeOptimizer } from './optimizer.js';
import { planParameters } from './plan.js';

/** The options of ORT's `onnxruntime.training.artifacts.generate_artifacts`, and a few more. */
export interface GenerateOptions {
  /** What is minimised: a name, a Loss, or null where the model's own output is it. Default cross-entropy. */
  readonly loss?: Loss | string | null | undefined;
  /** null leaves optimizer_model.onnx out. Default: AdamW as ORT's tool writes it (Hugging Face's form, ε 1e-6). */
  readonly optimizer?: ArtifactOptimizer | null | undefined;
  /** Parameters to train, as names or globs. Default: see `inspectModel`. */
  readonly requiresGrad?: readonly string[] | undefined;
  /** Parameters that are fed and kept as they are, as names or globs. What is neither trained nor named here stays a
   *  constant in the models. */
  readonly frozenParams?: readonly string[] | undefined;
  /** Values of the model that the training and evaluation models give back after the loss. */
  readonly additionalOutputNames?: readonly string[] | undefined;
  /** The outputs that the loss is computed from. Default: the first. */
  readonly lossInputNames?: readonly string[] | undefined;
  /** Also writes a checkpoint of names and types without values. Default false. */
  readonly nominalCheckpoint?: boolean | undefined;
  /** In front of each file name. */
  readonly prefix?: string | undefined;
  /** Ops (Sign, Round, Floor, Ceil) whose straight-through estimate takes the place of a gradient of zero. */
  readonly straightThrough?: readonly StraightThroughOp[] | undefined;
  /** Sizes for open dimensions of the inputs that shall not stay open, by name. */
  readonly dimensions?: Readonly<Record<string, number>> | undefined;
}

export interface GeneratedArtifacts {
  readonly trainModel: Uint8Array;
  readonly evalModel: Uint8Array;
  readonly checkpointState: Uint8Array;
  readonly optimizerModel?: Uint8Array;
  readonly nominalCheckpointState?: Uint8Array;
  /** The same by file name, the prefix in front. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Ops that ORT's own training runtime has no kernel for on CPUs; Gradware trains the artifacts all the same. */
  readonly withoutOrtKernel: readonly string[];
  readonly warnings: readonly string[];
}

/** Makes the training artifacts of a forward model: the four files, in the dialect and naming of ORT's own tool, with
 *  open dimensions left open. Gradware's TrainingSession takes the result as it is, and so does the training runtime of
 *  ORT 1.18 and 1.19.
 *  @throws GradwareError for a model that does not train, an op without a gradient, an option that fits nothing */
export async function generateArtifacts(
  runtime: Runtime,
  given: Source,
  options: GenerateOptions = {},
): Promise<GeneratedArtifacts> {
  const read = await readForwardModel(runtime.files, given);
  return artifactsOf(read, options, createShapeOracle(runtime));
}

/** The artifacts of a model in memory. */
async function artifactsOf(
  { model, file, kinds, traces }: ReadForward,
  options: GenerateOptions,
  oracle: ShapeOracle,
): Promise<GeneratedArtifacts> {
  const { prefix = '', additionalOutputNames = [] } = options;
  const whole = upgradeModel(model);
  const optimizer =
    options.optimizer === null ? undefined : describeOptimizer(options.optimizer ?? 'adamw');
  const predictions = predictionNames(whole.graph, options.lossInputNames, file);
  const upgraded = onlyNeeded(whole, [...predictions, ...additionalOutputNames], file);
  const { graph } = upgraded;
  const { requiresGrad, frozenParams } = options;
  const straightThrough = checkStraightThrough(options.straightThrough);
  const plan = planParameters(
    graph,
    predictions,
    { requiresGrad, frozenParams, straightThrough, kinds },
    file,
  );
  const open = openDimensions(fedInputs(graph), options.dimensions ?? {}, file);
  requireOwnNames([...open.inputs.map(({ name }) => name), ...additionalOutputNames], file);
  const { training, evaluation, typeOf } = await layModels(
    {
      model: upgraded,
      open,
      parts: {
        loss: lossOf(options.loss),
        predictions,
        parameters: plan.parameters,
        trainable: new Set(plan.trainable),
        file,
      },
      trainable: plan.trainable,
      straightThrough,
      additionalOutputs: additionalOutputNames,
      computed: whole.graph.nodes.flatMap((node) => node.outputs),
    },
    oracle,
  );
  const withoutOrtKernel = opsWithoutOrtKernel(training.graph, typeOf);
  const values = (names: readonly string[]) =>
    new Map([...plan.parameters].filter(([name]) => names.includes(name)));
  const checkpoint = (nominal: boolean) =>
    writeOrtCheckpoint({
      trainable: values(plan.trainable),
      frozen: values(plan.frozen),
      nominal,
      properties: new Map(),
    });
  const bytes = {
    trainModel: encodeModel(training),
    evalModel: encodeModel(evaluation),
    ...(optimizer && { optimizerModel: encodeModel(optimizerModel(optimizer)) }),
    checkpointState: checkpoint(false),
    ...(options.nominalCheckpoint && { nominalCheckpointState: checkpoint(true) }),
  };
  return {
    ...bytes,
    files: namedFiles(bytes, prefix),
    withoutOrtKernel,
    warnings: [
      ...evaluationExportWarnings(model.graph, undefined, traces),
      ...(withoutOrtKernel.length > 0
        ? [
            `ORT's own training runtime has no CPU kernel for ${withoutOrtKernel.join(', ')}: it cannot train these artifacts, Gradware can.`,
          ]
        : []),
    ],
  };
}

/** What of a model the loss and the wanted outputs need: not a classifier's labels (by ai.onnx.ml), nor boxes that are
 *  selected by the data. Without the domains of the rest: ORT refuses versions that it does not know, used or not.
 *  @throws GradwareError NO_LOWERING where an operator that is needed cannot run */
function onlyNeeded(model: Model, wanted: readonly string[], file: string): Model {
  const { graph, opsets } = model;
  const outputs = graph.outputs.map(({ name }) => name);
  const nodes = prune(nodesOfSteps(graph.nodes, wanted, outputs, file), wanted);
  const domains = new Set(['', 'com.microsoft', ...domainsIn(nodes)]);
  return {
    ...model,
    graph: { ...graph, nodes },
    opsets: new Map([...opsets].filter(([domain]) => domains.has(domain))),
  };
}

function domainsIn(nodes: readonly Node[]): readonly string[] {
  return nodes.flatMap((node) => [
    node.domain,
    ...subgraphs(node).flatMap((graph) => domainsIn(graph.nodes)),
  ]);
}

function lossOf(given: GenerateOptions['loss']): Loss {
  if (given === null) return output();
  if (given === undefined) return crossEntropy();
  return typeof given === 'string' ? lossByName(given) : given;
}

/** @throws GradwareError INVALID_OPTION for names that ORT's runtime would take for gradients */
function requireOwnNames(names: readonly string[], file: string): void {
  const misread = names.find((name) => /_grad(\.accumulation\.(buffer|out))?$/.test(name));
  if (misread === undefined) return;
  throw new GradwareError(
    'INVALID_OPTION',
    `ORT's runtime would take "${misread}" for a gradient`,
    {
      where: file,
      remedy: 'Give this input or output of the model a name that does not end in _grad.',
    },
  );
}
