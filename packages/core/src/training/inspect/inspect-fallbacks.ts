import { nodesLeftToCpu } from '../../lowering/webgpu-kernels.js';
import { decodeModel } from '../../onnx/decode-model.js';
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

/** A node of a step that webgpu would leave to the CPU: what it takes and gives is copied there and back. */
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
  | 'groups'
>;

/** How it would be trained: the step has the nodes of loss, optimizer and plugins too. */
export interface FallbackOptions extends Trained {
  /** Sizes for open dimensions of the inputs, by name. Default: 2 for those of first axes, 8 for others. */
  readonly dimensions?: Readonly<Record<string, number>> | undefined;
}

/** Lays out a training step as webgpu would be given it, and lists the nodes that would fall back to the CPU, in order.
 *  Neither the step nor webgpu is run.
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
  const graph = await source.build(inputsAt(open.inputs, sizes), graphForm(provider));
  const optimizer = options.optimizer ?? source.optimizer ?? adamw();
  const learningRate = source.defaultLearningRate ?? optimizer.defaultLearningRate;
  const plugins = options.plugins ?? [];
  const { stages } = compileStep(graph, {
    ...planTraining(trainableOf(source), plugins, optimizer, options.groups),
    ...{ provider, part: 'step', feeding: 'single', learningRate },
    live: new Map([['learningRate', { setting: learningRate, kind: nonNegative }]]),
    wantsMetric: () => true,
  });
  const nodes = stages.flatMap(
    ({ model }) => decodeModel(model, { file: source.file }).graph.nodes,
  );
  return nodesLeftToCpu(nodes, graph.builder).map(({ node, kernel }) => ({
    node: node.name || (node.outputs[0] ?? ''),
    op: node.opType,
    domain: node.domain,
    reason: `no kernel of ${kernel}`,
  }));
}

/** More than 1, which would let kernels look as if they broadcast. */
function exampleSize({ axis }: OpenDimension): number {
  return axis === 0 ? 2 : 8;
}
