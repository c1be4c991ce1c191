import { decidingInputs, makersOf } from '../../graph/known-numbers.js';
import { sortNodes } from '../../graph/order.js';
import { elementCount, int } from '../../graph/value.js';
import { isFloatType } from '../../onnx/element-types.js';
import type { DataType, Graph, Node, TensorData } from '../../onnx/ir.js';
import { ownNames, subgraphs, usedNames } from '../../onnx/names.js';
import { selectNames } from '../../plugins/match.js';
import { type BatchNormMode, isBatchNorm, isTraining } from './batch-norm.js';
import { letsThrough } from './gradient-paths.js';

/** Why a parameter is trained, or is not. */
export interface ParameterChoice {
  readonly name: string;
  readonly type: DataType;
  readonly shape: readonly number[];
  readonly trains: boolean;
  readonly why: string;
}

/** What exporters note of initializers: that they are parameters, or why they are none. */
export type Kinds = ReadonlyMap<string, true | string>;

const usedAs = 'used as ';
const statistic = 'a running statistic';

/** Inputs that are bounds, exponents, shapes or statistics: what they do, by op and place. */
const notWeights: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  BatchNormalization: { 3: statistic, 4: statistic },
  Clip: { 1: 'a bound', 2: 'a bound' },
  DequantizeLinear: { 1: 'a scale of quantized numbers' },
  Dropout: { 1: 'a ratio' },
  Expand: { 1: 'a shape' },
  GatherElements: { 1: 'indices' },
  Pad: { 2: 'a constant' },
  Pow: { 1: 'an exponent' },
  QuantizeLinear: { 1: 'a scale of quantized numbers' },
  Resize: { 1: 'a region', 2: 'a scale' },
  Reshape: { 1: 'a shape' },
  RotaryEmbedding: { 1: 'a table of angles', 2: 'a table of angles' },
  Upsample: { 1: 'a scale' },
  Where: { 0: 'a condition' },
  'com.microsoft.DequantizeLinear': { 1: 'a scale of quantized numbers' },
  'com.microsoft.GroupQueryAttention': { 7: 'a table of angles', 8: 'a table of angles' },
  'com.microsoft.MatMulNBits': { 2: 'a scale of quantized numbers', 3: 'a zero point' },
  'com.microsoft.QuantizeLinear': { 1: 'a scale of quantized numbers' },
  'com.microsoft.RotaryEmbedding': { 2: 'a table of angles', 3: 'a table of angles' },
};

/** Inputs that are weights even where they are a single number, as the bias of a last layer with one output. */
const alwaysWeights: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [1, 2],
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gemm: [0, 1, 2],
  GroupNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  LayerNormalization: [1, 2],
  MatMul: [0, 1],
  PRelu: [1],
};

/** Why an initializer is left alone that decides what the graph is, rather than being a part of the model's state:
 *  rules and ONNX Runtime look into it. */
export function isSetting({ why }: ParameterChoice): boolean {
  return why.startsWith(usedAs) && why !== usedAs + statistic;
}

/** Ops that have a gradient for such inputs, too, which counts where they are computed. */
const smooth: ReadonlySet<string> = new Set(['BatchNormalization', 'Clip']);

function roleOf(node: Node, i: number): string | undefined {
  const { domain, opType } = node;
  return notWeights[domain === '' ? opType : `${domain}.${opType}`]?.[i];
}

/** Where a node of a graph, or of a graph nested in one, takes a value. */
interface Use {
  readonly name: string;
  readonly node: Node;
  /** Which input it is; -1 where a nested graph gives it. */
  readonly i: number;
  /** The graph that the node is in. */
  readonly graph: Graph;
}

/** What a node takes from the graph that it is in, and what the graphs nested in it capture from there. */
function usesOf(node: Node, graph: Graph): readonly Use[] {
  const direct = node.inputs.flatMap((name, i) => (name === '' ? [] : [{ name, node, i, graph }]));
  const nested = subgraphs(node).flatMap((inner) => {
    const own = ownNames(inner);
    const given = inner.outputs.map(({ name }) => ({ name, node, i: -1, graph }));
    const used = inner.nodes.flatMap((each) => usesOf(each, inner));
    return [...used, ...given].filter(({ name }) => !own.has(name));
  });
  return nested.length === 0 ? direct : [...direct, ...nested];
}

/** Why a weight does not train that no gradient would reach. */
export const notReached = 'the loss does not depend on it';

/** Values that the loss can reach backward through differentiable edges, without knowing any shape. */
function reachable(
  graph: Graph,
  targets: readonly string[],
  straightThrough: ReadonlySet<string> | undefined,
): ReadonlySet<string> {
  const found = new Set(targets);
  const isSmooth = ({ opType }: Node, name: string) =>
    opType === 'Pow' || (smooth.has(opType) && !graph.initializers.has(name));
  for (const node of [...sortNodes(graph.nodes)].reverse()) {
    const passes = (name: string, i: number) =>
      found.has(name) && letsThrough(node, i, straightThrough);
    if (!node.outputs.some(passes)) continue;
    for (const use of usesOf(node, graph))
      if (roleOf(use.node, use.i) === undefined || isSmooth(use.node, use.name))
        found.add(use.name);
  }
  return found;
}

/** Where recurrences take the state that they start from. */
const initialStates: Readonly<Record<string, readonly number[]>> = {
  GRU: [5],
  LSTM: [5, 6],
  RNN: [5],
};

/** Whether an input is a state that a recurrence starts from and changes: a loop passes weights through unchanged. */
function startsState({ opType, domain, attributes, inputs }: Node, i: number): boolean {
  if (domain !== '') return false;
  const { body } = attributes;
  if (body?.type !== 'graph') return initialStates[opType]?.includes(i) ?? false;
  const isScan = opType === 'Scan';
  const isState = isScan ? i < inputs.length - int(attributes, 'num_scan_inputs', 0) : i > 1;
  const next = body.value.outputs[isScan ? i : i - 1]?.name;
  return isState && next !== body.value.inputs[i]?.name;
}

/** No weight has such numbers: what they are added to shall not count. */
const beyondWeights = 1e9;

const scanned = 2 ** 24;

/** Whether a tensor is a mask or a bound: some of its numbers are infinite or as good as that. */
function isMask({ type, data }: TensorData): boolean {
  if ((type !== 'float32' && type !== 'float64') || data.length > scanned) return false;
  return (data as Float32Array).some((value) => !(Math.abs(value) < beyondWeights));
}

const isProduct = ({ nodes }: Graph, name: string): boolean =>
  nodes.some(({ opType, outputs }) => opType === 'MatMul' && outputs.includes(name));

const isZero = ({ data }: TensorData): boolean =>
  (data as Float32Array).every((value) => value === 0);

/** What shapes, axes and numbers of turns are made of. */
function partsOfShapes({ nodes }: Graph): ReadonlySet<string> {
  const producers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
  const makers = makersOf(nodes.flatMap(decidingInputs), (name) => producers.get(name));
  return new Set(makers.flatMap(usedNames));
}

/** What may be asked of the choice. */
export interface ParameterWishes {
  readonly requiresGrad?: readonly string[] | undefined;
  readonly frozenParams?: readonly string[] | undefined;
  readonly straightThrough?: ReadonlySet<string> | undefined;
  readonly kinds?: Kinds | undefined;
}

/** Decides what trains: floating-point initializers that the loss reaches, but for running statistics, what is only a
 *  bound, an exponent or a shape, the zeros that a recurrence starts from, and single numbers that are neither weights
 *  nor biases of a layer, nor what the export notes as no parameter. What branches and loops capture is judged by what
 *  they do with it. Names and globs override that.
 *  @throws GradwareError UNKNOWN_PARAMETER for a pattern that matches nothing */
export function chooseParameters(
  graph: Graph,
  predictions: readonly string[],
  { requiresGrad, frozenParams, straightThrough, kinds }: ParameterWishes = {},
): readonly ParameterChoice[] {
  const reached = reachable(graph, predictions, straightThrough);
  const shaping = partsOfShapes(graph);
  const uses = new Map<string, Use[]>();
  for (const node of graph.nodes)
    for (const use of usesOf(node, graph))
      if (graph.initializers.has(use.name))
        uses.set(use.name, [...(uses.get(use.name) ?? []), use]);
  /** Whether a use is that of a weight, or of the bias of a product. */
  const isWeight = ({ node, i, graph }: Use) =>
    alwaysWeights[node.opType]?.includes(i) ||
    (node.opType === 'Add' && isProduct(graph, node.inputs[1 - i] ?? ''));
  const candidates = [...graph.initializers].filter(([, { type }]) => isFloatType(type));
  const names = candidates.map(([name]) => name);
  const wanted =
    requiresGrad && new Set(selectNames(names, requiresGrad, undefined, 'requiresGrad'));
  const unwanted =
    frozenParams && new Set(selectNames(names, frozenParams, undefined, 'frozenParams'));

  function choose(name: string, shape: readonly number[]): readonly [boolean, string] {
    if (unwanted?.has(name) !== true && wanted?.has(name)) return [true, 'named by requiresGrad'];
    // What decides the graph stays in it, whatever trains besides.
    const own = uses.get(name) ?? [];
    const roles = own.map(({ node, i }) => roleOf(node, i));
    if (roles.length > 0 && roles.every((role) => role !== undefined))
      return [false, `${usedAs}${roles[0]}`];
    if (shaping.has(name) && !reached.has(name)) return [false, `${usedAs}a part of a shape`];
    if (unwanted?.has(name)) return [false, 'frozen by frozenParams'];
    if (wanted !== undefined) return [false, 'not named by requiresGrad'];
    if (!reached.has(name)) return [false, notReached];
    const kind = kinds?.get(name);
    if (typeof kind === 'string') return [false, kind];
    const tensor = graph.initializers.get(name);
    if (tensor !== undefined && isMask(tensor))
      return [false, 'a mask or a bound: numbers of 1e9 and more'];
    const starts = own.length > 0 && own.every(({ node, i }) => startsState(node, i));
    if (starts && tensor !== undefined && isZero(tensor)) return [false, 'a first state of zeros'];
    const single = elementCount(shape) <= 1;
    if (!kind && single && (shape.length === 0 || !own.some(isWeight)))
      return [false, 'a single number'];
    return [true, 'a weight that the loss depends on'];
  }

  return candidates.map(([name, { type, dims }]) => {
    const [trains, why] = choose(name, dims);
    return { name, type, shape: dims, trains, why };
  });
}

/** What tells that a model was exported for evaluation, though it is to be trained. */
export function evaluationExportWarnings(
  graph: Graph,
  batchNorm?: BatchNormMode,
  traces: readonly string[] = [],
): readonly string[] {
  const warnings: string[] = [];
  const folded = graph.nodes.filter(
    ({ opType, inputs }) =>
      opType === 'Conv' &&
      inputs.some((name) => /^onnx::Conv_\d+$/.test(name) && graph.initializers.has(name)),
  );
  if (folded.length > 0)
    warnings.push(
      `Batch norms seem to be folded into ${folded.length} of the convolutions: the model was exported for evaluation. Export it in training mode (torch.onnx.export(..., training=TrainingMode.TRAINING, do_constant_folding=False)) to train them apart.`,
    );
  const idle = graph.nodes.filter(
    (node) => node.opType === 'Dropout' && !isTrainingDropout(graph, node),
  );
  if (idle.length > 0)
    warnings.push(
      `${idle.length} Dropout nodes are exported for evaluation and do nothing; export in training mode to use them.`,
    );
  const still = graph.nodes.filter(
    (node) => isBatchNorm(node) && !isTraining(node) && node.outputs.length === 1,
  );
  if (still.length > 0 && batchNorm === undefined)
    warnings.push(
      `${still.length} batch norms are exported for evaluation: they use their running statistics and do not change them. Say batchNorm: 'train' to train them, 'frozen' if that is what you want.`,
    );
  return [...traces, ...warnings];
}

function isTrainingDropout(graph: Graph, node: Node): boolean {
  const mode = node.inputs[2];
  if (mode === undefined || mode === '') return false;
  const constant = graph.initializers.get(mode);
  // A mode that is computed, or fed, may be either.
  return constant === undefined || Number(constant.data[0]) === 1;
}
