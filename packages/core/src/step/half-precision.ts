import type { GraphBuilder } from '../graph/builder.js';
import { prune, sortNodes } from '../graph/order.js';
import type { Node } from '../onnx/ir.js';
import { subgraphs, usedNames } from '../onnx/names.js';
import { createHalves, type Halves, isFloat32 } from './halves.js';

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Where nearly all of the arithmetic is: always in float16. */
const multiplies = words('MatMul Gemm Conv ConvTranspose');

/** Ops that take what they get: in float16 where all they work on is. Sums over many elements, exponentials, logarithms
 *  and quotients are not among them: they need the range or the digits. */
const follows = words(`
  Abs Add Concat Expand Flatten Gather Greater GreaterOrEqual Identity LeakyRelu Less LessOrEqual Max MaxPool Min Mul
  Neg Pad Relu Reshape Sigmoid Slice Split Squeeze Sub Tanh Tile Transpose Unsqueeze Where`);

/** What becomes a number of pixels, and the rest: of places beyond 64 float16 has only some. */
const rounds = words('Floor Round');

/** From the smallest normal to the largest float16. */
const smallest = 2 ** -14;
const largest = 65504;

export interface HalfPrecisionOptions {
  /** What the nodes have to make. */
  readonly outputs: Iterable<string>;
  /** Values of the forward and backward pass: what they are computed from may be in float16, they themselves stay
   *  float32. */
  readonly ends: ReadonlySet<string>;
  /** Weights, which may be rounded for one step. */
  readonly weights: ReadonlySet<string>;
  /** Rounds to float16 and computes in float32: for providers without kernels for float16. ONNX Runtime would leave the
   *  rounding out. */
  readonly imitates: boolean;
}

/** Lets the forward and the backward pass compute in float16 where that is safe (as PyTorch's autocast), on weights that
 *  stay float32; so do gradients, plugins and optimizers. (Micikevicius et al. 2018) */
export function halfPrecision(
  builder: GraphBuilder,
  nodes: readonly Node[],
  { outputs, ends, weights, imitates }: HalfPrecisionOptions,
): readonly Node[] {
  const result: Node[] = [];
  const halves = createHalves(builder, imitates, result);
  const inPasses = ancestors(nodes, ends);
  const places = placesIn(nodes);
  for (const node of sortNodes(nodes)) {
    if (inPasses.has(node) && !places.has(node) && goesHalf(node, { builder, halves, weights }))
      halves.emit(node);
    else {
      for (const name of usedNames(node)) halves.inFull(name);
      result.push(node);
    }
  }
  for (const name of outputs) halves.inFull(name);
  return prune(result, outputs);
}

export type HalfPrecision = typeof halfPrecision;

interface Surroundings {
  readonly builder: GraphBuilder;
  readonly halves: Pick<Halves, 'has'>;
  readonly weights: ReadonlySet<string>;
}

/** Whether a node is safe in float16, and gains by it. */
function goesHalf(node: Node, around: Surroundings): boolean {
  const { builder, halves, weights } = around;
  if (node.domain !== '' || subgraphs(node).length > 0) return false;
  const floats = node.inputs.filter((name) => name !== '' && isFloat32(builder, name));
  if (multiplies.has(node.opType)) return floats.length > 0;
  return (
    follows.has(node.opType) &&
    floats.some((name) => halves.has(name) && !weights.has(name)) &&
    floats.every((name) => isAtHome(name, around))
  );
}

/** Whether float16 holds this as well: a value that is there already, a weight, a number that it can tell. */
function isAtHome(name: string, { builder, halves, weights }: Surroundings): boolean {
  if (halves.has(name) || weights.has(name)) return true;
  const known = builder.initializers.get(name);
  if (known === undefined) return false;
  return (known.data as Float32Array).every(
    (value) => value === 0 || (Math.abs(value) >= smallest && Math.abs(value) <= largest),
  );
}

/** What leads to numbers that are rounded, back to where float16 is a must. */
function placesIn(nodes: readonly Node[]): ReadonlySet<Node> {
  const ends = nodes.flatMap((node) => (rounds.has(node.opType) ? node.inputs : []));
  return ancestors(nodes, new Set(ends), ({ opType }) => follows.has(opType));
}

/** The nodes that some values are computed from. */
function ancestors(
  nodes: readonly Node[],
  ends: ReadonlySet<string>,
  goesOn: (node: Node) => boolean = () => true,
): ReadonlySet<Node> {
  const wanted = new Set(ends);
  const found = new Set<Node>();
  for (const node of [...sortNodes(nodes)].reverse()) {
    if (!node.outputs.some((name) => wanted.has(name)) || !goesOn(node)) continue;
    found.add(node);
    for (const name of usedNames(node)) wanted.add(name);
  }
  return found;
}
