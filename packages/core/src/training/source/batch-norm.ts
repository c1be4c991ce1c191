import { GradwareError } from '../../errors.js';
import { int } from '../../graph/value.js';
import type { Graph, Model, Node } from '../../onnx/ir.js';
import { freshName, usedNames } from '../../onnx/names.js';

/** Whether batch norms normalise by the batch and follow it with their running statistics, or keep to the statistics
 *  that they have. */
export type BatchNormMode = 'train' | 'frozen';

export interface TrainingForm {
  readonly graph: Graph;
  /** Running statistics among the initializers, and the value that they become in a step. */
  readonly statistics: ReadonlyMap<string, string>;
}

export function isBatchNorm({ opType, domain }: Node): boolean {
  return opType === 'BatchNormalization' && domain === '';
}

export function isTraining({ attributes }: Node): boolean {
  return int(attributes, 'training_mode', 0) === 1;
}

/** @throws GradwareError INVALID_OPTION for anything but a mode */
export function checkBatchNormMode(mode: string | undefined): BatchNormMode | undefined {
  if (mode === undefined || mode === 'train' || mode === 'frozen') return mode;
  throw new GradwareError('INVALID_OPTION', `batchNorm is "${mode}"`, {
    remedy: "It is 'train' or 'frozen', or left out: then the model says.",
  });
}

/** Batch norms (of opset 15 on) in a mode, or as they were exported, with their running statistics as outputs.
 *
 *  The statistics follow ONNX's definition, as ORT's kernels do: the running variance is that of the population (over
 *  n), where PyTorch keeps that of a sample (over n - 1). Training does not see the difference, evaluation hardly. */
export function trainingForm(graph: Graph, mode: BatchNormMode | undefined): TrainingForm {
  const names = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  const statistics = new Map<string, string>();
  const nodes = graph.nodes.map((node): Node => {
    if (!isBatchNorm(node)) return node;
    if (mode === 'frozen' || (mode === undefined && !isTraining(node))) return frozen(node);
    const [y = ''] = node.outputs;
    const outputs = ['', 'running_mean', 'running_var'].map((suffix, i) => {
      const given = node.outputs[i] ?? '';
      return given === '' ? freshName(names, `${y}_${suffix}`) : given;
    });
    const inputs = node.inputs.map((name, i) => {
      if (i < 3 || !graph.initializers.has(name)) return name;
      // A layer that runs twice in a step goes on from its own statistics.
      const latest = statistics.get(name) ?? name;
      statistics.set(name, outputs[i - 2] as string);
      return latest;
    });
    const attributes = { ...node.attributes, training_mode: { type: 'int', value: 1 } as const };
    return { ...node, inputs, outputs, attributes };
  });
  return { graph: { ...graph, nodes }, statistics };
}

/** A batch norm by its running statistics: of every opset, as old ones said by their outputs that they train. */
export function frozen(node: Node): Node {
  const { training_mode: _, ...attributes } = node.attributes;
  return { ...node, outputs: node.outputs.slice(0, 1), attributes };
}

/** An eval_model as stock ONNX Runtime reads it: ORT's tools switch the mode of its batch norms, and leave the outputs
 *  that only the other mode has. */
export function evaluationForm(model: Model): Model {
  const { graph } = model;
  const used = new Set([
    ...graph.nodes.flatMap(usedNames),
    ...graph.outputs.map(({ name }) => name),
  ]);
  const nodes = graph.nodes.map((node) =>
    isBatchNorm(node) && !isTraining(node) && !node.outputs.slice(1).some((name) => used.has(name))
      ? frozen(node)
      : node,
  );
  return { ...model, graph: { ...graph, nodes } };
}
