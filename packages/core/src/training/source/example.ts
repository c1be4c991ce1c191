import { GradwareError } from '../../errors.js';
import { createBuilder } from '../../graph/builder.js';
import { hasStockKernel } from '../../graph/decompose/index.js';
import type { ShapeOracle } from '../../graph/infer.js';
import type { Value } from '../../graph/value.js';
import type { Loss } from '../../losses/loss.js';
import type { DataType, Graph, TensorData, ValueInfo } from '../../onnx/ir.js';
import { fedInputs, type LaidForward } from './forward-graph.js';

/** What is known of a training graph before its first batch. */
export interface Example {
  /** The inputs that the loss adds. */
  readonly targets: readonly Value[];
  readonly loss: string;
  /** Every value of the graph. */
  readonly values: Iterable<string>;
}

interface ExampleRequest<Typed> {
  readonly graph: Graph;
  readonly loss: Loss;
  readonly predictions: readonly string[];
  readonly parameters: ReadonlyMap<string, TensorData>;
  /** Inputs whose numbers, which only batches have, decide which branches are taken. */
  readonly switches: ReadonlySet<string> | undefined;
  /** Types the forward pass at some sizes. */
  type(inputs: readonly Value[]): Promise<Typed>;
  /** Appends loss and backward pass. */
  lay(typed: Typed): Promise<LaidForward>;
}

interface Sizes {
  /** Of first axes. */
  readonly first: number;
  readonly other: number;
}

/** Sizes to try for open dimensions: the smallest, then those that images and sequences have. A model may be too deep
 *  for the one, and halve or divide into windows what it is given. */
const tried: readonly Sizes[] = [
  { first: 1, other: 1 },
  { first: 2, other: 32 },
  { first: 2, other: 224 },
  { first: 2, other: 28 },
  { first: 2, other: 10 },
];

/** Lays a training graph out at the first sizes that it takes, so that what is wrong with it shows before the first
 *  batch. A graph that takes none of them is left to the batches, unless ONNX Runtime refuses it at any size.
 *  @throws GradwareError for a graph that cannot be trained, a loss that does not fit */
export async function layExample<Typed>(
  request: ExampleRequest<Typed>,
  oracle: ShapeOracle,
): Promise<Example> {
  const { graph } = request;
  const inputs = fedInputs(graph);
  const open =
    (request.switches?.size ?? 0) > 0 ||
    inputs.some(({ shape }) => shape?.some((dim) => typeof dim !== 'number') ?? true);
  let refused: unknown;
  let fits = false;
  for (const sizes of open ? tried : tried.slice(0, 1)) {
    try {
      const typed = await request.type(inputsAt(inputs, sizes));
      if (!fits) refused = undefined;
      fits = true;
      const { targets, loss, builder } = await request.lay(typed);
      return { targets, loss: loss.name, values: builder.values.keys() };
    } catch (error) {
      if (!(error instanceof GradwareError) || error.code !== 'INVALID_MODEL') throw error;
      refused ??= error;
    }
  }
  if (!open || (fits && !isNodeFault(refused))) throw refused;
  await requireLoads(request, oracle);
  try {
    return withoutShapes(request);
  } catch {
    throw refused;
  }
}

/** Whether a node of the model does not go with the sizes, as one whose export folded its own in; not the loss. */
function isNodeFault(error: unknown): boolean {
  return error instanceof GradwareError && (error.where?.startsWith('node ') ?? false);
}

/** One name is one size wherever it stands. */
function inputsAt(inputs: readonly ValueInfo[], sizes: Sizes): readonly Value[] {
  const firstNames = new Set(inputs.map(({ shape }) => shape?.[0]));
  return inputs.map(({ name, type = 'float32', shape = [] }) => ({
    name,
    type: type as DataType,
    shape: shape.map((dim, axis) => {
      if (typeof dim === 'number') return dim;
      const isFirst = axis === 0 || (dim !== null && firstNames.has(dim));
      return isFirst ? sizes.first : sizes.other;
    }),
  }));
}

/** @throws GradwareError INVALID_MODEL for a graph that ONNX Runtime does not load with its dimensions left open */
async function requireLoads({ graph, parameters }: ExampleRequest<unknown>, oracle: ShapeOracle) {
  if (!graph.nodes.every(hasStockKernel)) return;
  const fed = [...parameters].map(([name, { type, dims }]) => ({ name, type, shape: dims }));
  const initializers = [...graph.initializers].filter(([name]) => !parameters.has(name));
  await oracle.inference({
    ...graph,
    inputs: [...fedInputs(graph), ...fed],
    initializers: new Map(initializers),
  });
}

/** What the loss adds to predictions of any shape. */
function withoutShapes({ graph, loss, predictions }: ExampleRequest<unknown>): Example {
  const builder = createBuilder();
  const infos = new Map(graph.outputs.map((info) => [info.name, info]));
  const declare = ({ name, type = 'float32', shape = [] }: ValueInfo) =>
    builder.declare({
      name,
      type: type as DataType,
      shape: shape.map((dim) => (typeof dim === 'number' ? dim : 2)),
    });
  for (const input of fedInputs(graph)) declare(input);
  const targets: Value[] = [];
  const context = {
    op: builder.op,
    builder,
    predictions: predictions.map((name) => declare(infos.get(name) ?? { name })),
    target(name: string, type: DataType, shape: readonly number[]): Value {
      const known = builder.values.get(name);
      if (known !== undefined) return known;
      const value = builder.declare({ name, type, shape });
      targets.push(value);
      return value;
    },
  };
  if (loss.graph === undefined) loss.build(context);
  else loss.graph(context);
  const made = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  return { targets, loss: made.has('loss') ? 'loss_1' : 'loss', values: made };
}
