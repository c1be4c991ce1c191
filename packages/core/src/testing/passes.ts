import { elementCount, type Value } from '../graph/value.js';
import type { Provider } from '../lowering/rule.js';
import type { Node } from '../onnx/ir.js';
import { decodeModel } from '../onnx/model.js';
import { subgraphs } from '../onnx/names.js';
import type { GradientPlugin } from '../plugins/plugin.js';
import { planTraining } from '../training/execution/groups.js';
import { compileChain } from './compile.js';
import { recorder } from './recorder.js';
import type { Tensors } from './runtime.js';

/** Passes over memory, in multiples of the elements of all gradients together. */
export interface Passes {
  /** Those that leave less behind than they take in: sums, maxima, products with narrow matrices. */
  readonly reading: number;
  /** Those that write a tensor. */
  readonly writing: number;
}

export interface PassOptions {
  readonly plugins: readonly GradientPlugin[];
  /** What their gradients are like. */
  readonly weights: Tensors;
  /** Default: cpu. */
  readonly provider?: Provider | undefined;
}

/** Nodes that give their input another shape or name, and move nothing. */
const views: ReadonlySet<string> = new Set([
  ...['Reshape', 'Squeeze', 'Unsqueeze', 'Flatten', 'Identity', 'Shape', 'Size'],
]);

/** How many passes over memory a chain adds to a step, counted in what it is compiled to: a node goes once over the
 *  largest tensor that it reads or writes. Nobody listens to metrics. Of two branches the longer one counts. */
export function countPasses({ plugins, ...options }: PassOptions): Passes {
  const [own, empty] = [count(plugins, options), count([], options)];
  const whole = [...options.weights.values()].reduce(
    (sum, { dims }) => sum + elementCount(dims),
    0,
  );
  return {
    reading: (own.reading - empty.reading) / whole,
    writing: (own.writing - empty.writing) / whole,
  };
}

/** The elements that all passes of a step together go over. */
function count(
  plugins: readonly GradientPlugin[],
  { weights, provider = 'cpu' }: Omit<PassOptions, 'plugins'>,
): Passes {
  const parameters = [...weights].map(([name, { dims }]) => ({ name, shape: dims }));
  const { builder, program } = compileChain({
    plan: planTraining(parameters, plugins, recorder()),
    ...{ weights, provider, feeding: 'single', live: new Map(), learningRate: 1 },
    wantsMetric: () => false,
  });
  const nodes = program.stages.flatMap(({ model }) => decodeModel(model).graph.nodes);
  return countNodes(nodes, builder.values);
}

function countNodes(nodes: readonly Node[], values: ReadonlyMap<string, Value>): Passes {
  return nodes
    .map((node) => countNode(node, values))
    .reduce(
      (sum, { reading, writing }) => ({
        reading: sum.reading + reading,
        writing: sum.writing + writing,
      }),
      { reading: 0, writing: 0 },
    );
}

function countNode(node: Node, values: ReadonlyMap<string, Value>): Passes {
  const nested = subgraphs(node).map((graph) => countNodes(graph.nodes, values));
  if (nested.length > 0)
    return nested.reduce((a, b) => (a.reading + a.writing >= b.reading + b.writing ? a : b));
  if (views.has(node.opType)) return { reading: 0, writing: 0 };
  const sizes = (names: readonly string[]) =>
    Math.max(0, ...names.map((name) => elementCount(values.get(name)?.shape ?? [0])));
  const [taken, left] = [sizes(node.inputs), sizes(node.outputs)];
  return left < taken / 2 ? { reading: taken, writing: 0 } : { reading: 0, writing: left };
}
