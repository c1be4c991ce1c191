import { GradwareError } from '../errors.js';
import { tensorElement } from '../onnx/element-types.js';
import type { Graph, Node, TensorData, ValueInfo } from '../onnx/ir.js';
import { subgraphs, usedNames } from '../onnx/names.js';
import { boundLoops, mostSteps } from './bound-loops.js';
import { createBuilder, type GraphBuilder } from './builder.js';
import { tensorOf } from './constants.js';
import { hasStockKernel, loadForms, necessaryForm, takeApart } from './decompose/index.js';
import { isStockOp, isTrainingOp } from './dialect.js';
import { constantAttribute } from './fold.js';
import {
  decidingInputs,
  knownNumbers,
  makersOf,
  refuseShapedByData,
  shapedByData,
  shapingInputs,
} from './known-numbers.js';
import { prune, sortNodes } from './order.js';
import { listsAsRows } from './rows-of-lists.js';
import { shapeRuleOf } from './shapes/index.js';
import { elementCount, type TensorType, type Value } from './value.js';

/** Asks ONNX Runtime for the types of a graph's outputs. `inference` knows the model only; `execution` runs it once
 *  on zeros and knows all. Dimensions that inference leaves open are not numbers. */
export interface ShapeOracle {
  inference(
    graph: Graph,
    domains?: ReadonlyMap<string, number>,
  ): Promise<ReadonlyMap<string, ValueInfo>>;
  execution(graph: Graph): Promise<ReadonlyMap<string, TensorType>>;
  /** The same, with what came out. */
  numbers(graph: Graph): Promise<ReadonlyMap<string, TensorData>>;
}

/** Initializers up to this many elements are shown to the oracle: shapes and axes. Weights are not. */
const shownElements = 4096;

/** Types every value of a graph whose inputs have exact shapes, and lays it out in a builder.
 *
 *  ONNX Runtime's own inference answers for everything that it can load; training ops, and what depends on them,
 *  follow from the shape rules. */
export async function inferTypes(
  graph: Graph,
  inputs: readonly Value[],
  oracle: ShapeOracle,
): Promise<GraphBuilder> {
  const builder = createBuilder();
  for (const input of inputs) builder.declare(input);
  for (const [name, tensor] of graph.initializers)
    if (!builder.values.has(name)) builder.initializer(name, tensor);
  await addTyped(builder, graph.nodes, oracle);
  return builder;
}

/** Types nodes that take what a builder has, and adds them to it. */
export async function addTyped(
  builder: GraphBuilder,
  nodes: readonly Node[],
  oracle: ShapeOracle,
): Promise<void> {
  await loadForms(nodes);
  const { stock, rest } = partition(listsAsRows(hoistConstants(builder, nodes)), builder);
  for (const [node, types] of await askOracle(builder, stock, oracle)) builder.add(node, types);
  await learnNumbers(builder, stock, oracle);
  for (const node of rest) {
    await learnNumbers(builder, [node], oracle);
    const decomposition = necessaryForm(builder, node);
    if (decomposition !== undefined) takeApart(builder, node, decomposition);
    else if (shapeRuleOf(node.opType) !== undefined && !isTypedByName(node))
      placeByRule(builder, node);
    else if (isStockOp(node.opType, node.domain))
      for (const [own, types] of await askOracle(builder, [node], oracle)) builder.add(own, types);
    else placeByRule(builder, node);
  }
}

/** Constant nodes are initializers by another name. */
function hoistConstants(builder: GraphBuilder, nodes: readonly Node[]): readonly Node[] {
  return nodes.filter((node) => {
    const tensor = node.opType === 'Constant' ? constantAttribute(node) : undefined;
    if (tensor === undefined) return true;
    builder.initializer(node.outputs[0] as string, tensor);
    return false;
  });
}

/** Stock nodes that depend on stock nodes only, and all others, each in order. */
function partition(nodes: readonly Node[], builder: GraphBuilder) {
  const known = new Set(builder.values.keys());
  const stock: Node[] = [];
  const rest: Node[] = [];
  for (const node of sortNodes(nodes)) {
    const asks = hasStockKernel(node) && usedNames(node).every((name) => known.has(name));
    (asks ? stock : rest).push(node);
    if (asks) for (const output of node.outputs) known.add(output);
  }
  return { stock, rest };
}

async function askOracle(
  builder: GraphBuilder,
  nodes: readonly Node[],
  oracle: ShapeOracle,
): Promise<readonly (readonly [Node, readonly Value[]])[]> {
  if (nodes.length === 0) return [];
  const outputs = nodes.flatMap((node) => node.outputs).filter((name) => name !== '');
  const question = typeQuestion(builder, nodes, outputs);
  const answers = await oracle.inference(question);
  const types = new Map<string, TensorType>();
  const producer = producerIn(nodes);
  const open: string[] = [];
  for (const name of outputs) {
    const exact = exactType(answers.get(name));
    if (
      exact !== undefined &&
      (exact.shape.length > 0 || isScalarByRule(producer(name) as Node, types, builder))
    )
      types.set(name, exact);
    else open.push(name);
  }
  if (open.length > 0)
    for (const [name, type] of await askByRunning(builder, nodes, open, oracle))
      types.set(name, type);
  return nodes.map((node) => {
    const values = node.outputs.flatMap((name): Value[] => {
      const type = types.get(name);
      return type === undefined ? [] : [{ name, type: type.type, shape: type.shape }];
    });
    return [node, values];
  });
}

async function askByRunning(
  builder: GraphBuilder,
  nodes: readonly Node[],
  open: readonly string[],
  oracle: ShapeOracle,
): Promise<ReadonlyMap<string, TensorType>> {
  try {
    return await oracle.execution(typeQuestion(builder, nodes, open));
  } catch (error) {
    // Zeros may be what a shape cannot be made of.
    const isConstant = (name: string) => builder.constant(name) !== undefined;
    const known = knownNumbers(nodes, isConstant);
    refuseShapedByData(shapedByData(nodes, (name) => known.has(name) || isConstant(name)));
    throw error;
  }
}

/** Runs what follows from shapes alone and no rule of folding covers, where somebody has to know its numbers. */
async function learnNumbers(
  builder: GraphBuilder,
  nodes: readonly Node[],
  oracle: ShapeOracle,
): Promise<void> {
  const isConstant = (name: string) => builder.constant(name) !== undefined;
  const wanted = new Set(nodes.flatMap(decidingInputs).filter((name) => !isConstant(name)));
  if (wanted.size === 0) return;
  const makers = sortNodes(makersOf(wanted, (name) => builder.producer(name)));
  const known = knownNumbers(makers, isConstant);
  const names = [...wanted].filter((name) => known.has(name));
  if (names.length === 0) return;
  const question = questionOf(builder, prune(makers, names), names);
  for (const [name, numbers] of await oracle.numbers(question)) builder.learn(name, numbers);
}

function questionOf(
  builder: GraphBuilder,
  nodes: readonly Node[],
  outputs: readonly string[],
): Graph {
  const shaping = new Set(
    makersOf(nodes.flatMap(shapingInputs), producerIn(nodes)).flatMap(usedNames),
  );
  for (const name of nodes.flatMap(shapingInputs)) shaping.add(name);
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const free = new Set(nodes.flatMap(usedNames).filter((name) => !made.has(name)));
  const initializers = new Map<string, TensorData>();
  const inputs: ValueInfo[] = [];
  for (const name of free) {
    const tensor = builder.constant(name);
    if (tensor !== undefined && (elementCount(tensor.dims) <= shownElements || shaping.has(name)))
      initializers.set(name, tensor);
    else inputs.push(builder.value(name));
  }
  return {
    name: 'types',
    nodes,
    inputs,
    outputs: outputs.map((name) => ({ name })),
    initializers,
    valueInfo: new Map(),
  };
}

/** Asks for types only: no loop goes on until its condition ends it. */
function typeQuestion(
  builder: GraphBuilder,
  nodes: readonly Node[],
  outputs: readonly string[],
): Graph {
  const question = questionOf(builder, nodes, outputs);
  if (nodes.every((node) => subgraphs(node).length === 0)) return question;
  const initializers = new Map(question.initializers);
  const constant = (turns: number) => {
    const { name } = builder.op.scalar(turns, 'int64');
    initializers.set(name, tensorOf('int64', [turns], []));
    return name;
  };
  const bounds = { once: constant(1), counted: constant(mostSteps + 1) };
  const bound = boundLoops(nodes, (name) => builder.constant(name), bounds);
  return { ...question, nodes: bound, initializers };
}

function producerIn(nodes: readonly Node[]): (name: string) => Node | undefined {
  const producers = new Map(
    nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)),
  );
  return (name) => producers.get(name);
}

function exactType(info: ValueInfo | undefined): TensorType | undefined {
  const { shape } = info ?? {};
  const type = tensorElement(info);
  if (type === undefined || shape === undefined) return undefined;
  const exact = shape.filter((dim): dim is number => typeof dim === 'number' && dim >= 0);
  return exact.length === shape.length ? { type, shape: exact } : undefined;
}

/** Ops beside reductions whose output may be a scalar though an input is none. */
const scalarOps: ReadonlySet<string> = new Set([
  ...['Gather', 'NegativeLogLikelihoodLoss', 'Size', 'SoftmaxCrossEntropyLoss', 'Squeeze'],
]);

/** ORT reports an unknown rank as []: believed only where our own rule says so too and the ranks of the inputs are
 *  known, or where the inputs are all scalars. */
function isScalarByRule(
  node: Node,
  types: ReadonlyMap<string, TensorType>,
  builder: GraphBuilder,
): boolean {
  const known = usedNames(node).map((name) => types.get(name) ?? builder.values.get(name));
  if (known.includes(undefined)) return false;
  if (known.length > 0 && known.every((type) => type?.shape.length === 0)) return true;
  return node.opType.startsWith('Reduce') || scalarOps.has(node.opType);
}

/** Ops whose inputs do not tell the shape of the output: it is that of the value whose gradient they make, by its name. */
function isTypedByName(node: Node): boolean {
  return node.opType === 'AveragePoolGrad' && isTrainingOp(node.opType, node.domain);
}

function placeByRule(builder: GraphBuilder, node: Node): void {
  const operands = node.inputs.map((name) => (name === '' ? undefined : builder.value(name)));
  const named = node.outputs.map((name) => typeByName(builder, name));
  const outputs = {
    outputs: node.outputs,
    name: node.name || node.outputs[0] || node.opType,
    domain: node.domain,
  };
  if (isTypedByName(node) && named[0] !== undefined) {
    builder.emit(node.opType, operands, node.attributes, { ...outputs, types: [named[0]] });
    return;
  }
  if (shapeRuleOf(node.opType) === undefined)
    throw new GradwareError('NO_LOWERING', `The op ${node.domain}.${node.opType} is not known`, {
      where: `node ${node.name || node.outputs[0]}`,
      remedy:
        'Stock ONNX Runtime has no kernel for it, and neither has Gradware a way to express it.',
    });
  builder.emit(node.opType, operands, node.attributes, outputs);
}

/** The gradient of V is called `V_grad`, or `V_grad_0`, `V_grad_1`, ... where V has several users. */
function typeByName(builder: GraphBuilder, name: string): TensorType | undefined {
  const source = /^(.*)_grad(?:_\d+)?$/.exec(name)?.[1];
  return source === undefined ? undefined : builder.values.get(source);
}
