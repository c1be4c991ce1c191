import { GradwareError } from '../../errors.js';
import { prune, sortNodes } from '../../graph/order.js';
import type { Graph, Model, TensorData } from '../../onnx/ir.js';
import { usedNames } from '../../onnx/names.js';
import { didYouMean } from '../../options/nearest.js';

/** The part of a model that some outputs need, with given parameters as initializers: an inference model. */
export function extractModel(
  model: Model,
  outputs: readonly string[],
  parameters: ReadonlyMap<string, TensorData>,
): Model {
  const { graph } = model;
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  for (const name of outputs)
    if (!made.has(name)) {
      throw new GradwareError('INVALID_OPTION', `The model makes no value "${name}"`, {
        remedy: didYouMean(name, made, 'Name an output of one of its nodes.'),
      });
    }
  const nodes = prune(graph.nodes, outputs);
  const used = new Set(nodes.flatMap(usedNames));
  const initializers = new Map<string, TensorData>();
  for (const [name, tensor] of [...graph.initializers, ...parameters])
    if (used.has(name)) initializers.set(name, tensor);
  const known = new Map([
    ...graph.valueInfo,
    ...graph.outputs.map((info) => [info.name, info] as const),
  ]);
  return {
    ...model,
    graph: {
      ...graph,
      nodes,
      inputs: graph.inputs.filter(({ name }) => used.has(name) && !initializers.has(name)),
      outputs: outputs.map((name) => known.get(name) ?? { name }),
      initializers,
      valueInfo: new Map([...graph.valueInfo].filter(([name]) => used.has(name))),
    },
  };
}

/** What the loss is computed from: the value, made with parameters, that meets a target last.
 *  Scores or predictions, by what the graph does with them and not by their names. */
export function predictionOf(
  graph: Graph,
  loss: string,
  parameters: Iterable<string>,
): string | undefined {
  const learned = new Set(parameters);
  const given = new Set(graph.inputs.map(({ name }) => name).filter((name) => !learned.has(name)));
  let found: string | undefined;
  for (const node of prune(sortNodes(graph.nodes), [loss])) {
    const names = usedNames(node);
    const fromParameters = names.find((name) => learned.has(name));
    const target = names.some((name) => given.has(name) && !learned.has(name));
    const isMade =
      fromParameters !== undefined && !graph.inputs.some(({ name }) => name === fromParameters);
    if (isMade && target) found = fromParameters;
    for (const output of node.outputs) {
      if (fromParameters !== undefined) learned.add(output);
      else if (target) given.add(output);
    }
  }
  return found;
}
