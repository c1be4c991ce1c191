import { createBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/value.js';
import type { Provider } from '../../lowering/rule.js';
import { type LeftNode, nodesLeftToCpu } from '../../lowering/webgpu-kernels.js';
import { decodeModel } from '../../onnx/decode-any-model.js';
import { adamw } from '../../optimizers/adamw.js';
import { nonNegative } from '../../options/options.js';
import type { Runtime } from '../../runtime/runtime.js';
import { createShapeOracle } from '../../runtime/shape-oracle.js';
import { compileStep } from '../../step/compile.js';
import type { TrainingOptions } from '../api.js';
import { trainableOf } from '../create.js';
import { planTraining } from '../execution/groups.js';
import { inputsAt, type OpenDimension, openDimensions } from '../generate/dimensions.js';
import { graphForm } from '../source/graph-form.js';
import { loadSource, type Trainable } from '../source/load.js';
import type { ModelSource } from '../source/source.js';

/** A node of a step, or of an evaluation, that webgpu would leave to the CPU: what it takes and gives is copied there and
 *  back. */
export interface Fallback {
  readonly node: string;
  readonly op: string;
  /** '' for ai.onnx. */
  readonly domain: string;
  /** Which kernel webgpu lacks. */
  readonly reason: string;
}

type Trained = Pick<
  TrainingOptions,
  | 'loss'
  | 'lossInputNames'
  | 'requiresGrad'
  | 'frozenParams'
  | 'batchNorm'
  | 'straightThrough'
  | 'optimizer'
  | 'plugins'
  | 'mixedPrecision'
  | 'groups'
>;

/** How it would be trained: the step has the nodes of loss, optimizer and plugins too. */
export interface FallbackOptions extends Trained {
  /** Sizes for open dimensions of the inputs, by name. Default: 2 for those of first axes, 8 for others. */
  readonly dimensions?: Readonly<Record<string, number>> | undefined;
}

/** Lays out a training step and an evaluation as webgpu would be given them, and lists the nodes that would fall back to
 *  the CPU, in order; what both have, once. Neither of them nor webgpu is run.
 *  @throws GradwareError for what cannot be trained, a loss that does not fit, a dimension that no input has */
export async function inspectFallbacks(
  runtime: Runtime,
  given: Trainable,
  { dimensions = {}, ...options }: FallbackOptions = {},
): Promise<readonly Fallback[]> {
  const provider = 'webgpu';
  const source = await loadSource(runtime.files, given, options, createShapeOracle(runtime));
  const own = source.inputs.filter(({ name }) => !source.targets.includes(name));
  const open = openDimensions(own, dimensions, source.file);
  const sizes = new Map(open.dimensions.map((each) => [each.name, exampleSize(each)]));
  const inputs = inputsAt(open.inputs, sizes);
  const graph = await source.build(inputs, graphForm(provider));
  const optimizer = options.optimizer ?? source.optimizer ?? adamw();
  const learningRate = source.defaultLearningRate ?? optimizer.defaultLearningRate;
  const { mixedPrecision } = options;
  const plugins = [...(mixedPrecision ? [mixedPrecision] : []), ...(options.plugins ?? [])];
  const { halfPrecision } = await import('../../step/half-precision.js');
  const { stages } = compileStep(graph, {
    ...planTraining(trainableOf(source), plugins, optimizer, options.groups),
    ...{ provider, part: 'step', feeding: 'single', learningRate },
    live: new Map([['learningRate', { setting: learningRate, kind: nonNegative }]]),
    wantsMetric: () => true,
    halfPrecision: mixedPrecision && halfPrecision,
  });
  const nodes = stages.flatMap(
    ({ model }) => decodeModel(model, { file: source.file }).graph.nodes,
  );
  const inStep = nodesLeftToCpu(nodes, graph.builder).map(fallback);
  const known = new Set(inStep.map(keyOf));
  const inEvaluation = await evaluationFallbacks(source, inputs, provider);
  return [...inStep, ...inEvaluation.filter((each) => !known.has(keyOf(each)))];
}

function fallback({ node, kernel }: LeftNode): Fallback {
  return {
    node: node.name || (node.outputs[0] ?? ''),
    op: node.opType,
    domain: node.domain,
    reason: `no kernel of ${kernel}`,
  };
}

const keyOf = ({ node, reason }: Fallback) => `${node} ${reason}`;

/** None where there is no evaluation model. */
async function evaluationFallbacks(
  source: ModelSource,
  inputs: readonly Value[],
  provider: Provider,
): Promise<readonly Fallback[]> {
  if (source.evalOutputs.length === 0) return [];
  const wanted = source.evalInputs.map(({ name }) => name);
  const given = inputs.filter(({ name }) => wanted.includes(name));
  const { model, known } = await source.evaluation(given, provider);
  return nodesLeftToCpu(model.graph.nodes, known ?? createBuilder()).map(fallback);
}

/** More than 1, which would let kernels look as if they broadcast. */
function exampleSize({ axis }: OpenDimension): number {
  return axis === 0 ? 2 : 8;
}
