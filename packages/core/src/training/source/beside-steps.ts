import type { ShapeOracle } from '../../graph/infer.js';
import { prune } from '../../graph/order.js';
import type { Graph, Model, Node, TensorData } from '../../onnx/ir.js';
import { usedNames } from '../../onnx/names.js';
import { fedInputs } from './forward-graph.js';

/** What a model computes that steps do without, and that ONNX Runtime runs as it is: operators of ai.onnx.ml. */
export interface BesideSteps {
  readonly nodes: readonly Node[];
  /** Those that are tensors: JavaScript is given no others. */
  readonly outputs: readonly string[];
  /** The other outputs that need more than steps have. */
  readonly refused: readonly string[];
  /** What the nodes take from the rest of the graph. */
  readonly taken: readonly string[];
  readonly opsets: ReadonlyMap<string, number>;
  readonly initializers: ReadonlyMap<string, TensorData>;
}

/** Asks ONNX Runtime which of the outputs that steps cannot compute it computes here: not every build has all kernels.
 *  @param inSteps the values that steps may have */
export async function besideSteps(
  { graph, opsets }: Pick<Model, 'graph' | 'opsets'>,
  inSteps: ReadonlySet<string>,
  parameters: ReadonlyMap<string, TensorData>,
  oracle: ShapeOracle,
): Promise<BesideSteps> {
  const rest = graph.nodes.filter((node) => !node.outputs.some((name) => inSteps.has(name)));
  const made = new Set(rest.flatMap((node) => node.outputs));
  const fed = [...parameters].map(([name, { type, dims }]) => ({ name, type, shape: dims }));
  const asked = {
    ...graph,
    inputs: [...fedInputs(graph), ...fed],
    initializers: new Map([...graph.initializers].filter(([name]) => !parameters.has(name))),
  };
  const outputs: string[] = [];
  const refused: string[] = [];
  for (const { name } of graph.outputs)
    if (made.has(name))
      ((await givesTensor(asked, name, opsets, oracle)) ? outputs : refused).push(name);
  const nodes = prune(rest, outputs);
  const used = new Set(nodes.flatMap(usedNames));
  return {
    nodes,
    outputs,
    refused,
    taken: [...used].filter((name) => inSteps.has(name)),
    opsets,
    initializers: new Map([...asked.initializers].filter(([name]) => used.has(name))),
  };
}

async function givesTensor(
  graph: Graph,
  output: string,
  opsets: ReadonlyMap<string, number>,
  oracle: ShapeOracle,
): Promise<boolean> {
  const nodes = prune(graph.nodes, [output]);
  try {
    const question = { ...graph, nodes, outputs: [{ name: output }] };
    return (await oracle.inference(question, opsets)).has(output);
  } catch {
    return false;
  }
}

/** An evaluation with what the model computes beside. */
export function withBeside(model: Model, beside: BesideSteps, outputs: readonly string[]): Model {
  if (beside.nodes.length === 0) return model;
  const { graph } = model;
  const known = new Map(graph.outputs.map((info) => [info.name, info]));
  return {
    ...model,
    opsets: new Map([...beside.opsets, ...model.opsets]),
    graph: {
      ...graph,
      nodes: [...graph.nodes, ...beside.nodes],
      outputs: outputs.map((name) => known.get(name) ?? { name }),
      initializers: new Map([...beside.initializers, ...graph.initializers]),
    },
  };
}
