import type { GraphBuilder } from '../graph/builder.js';
import { prune, sortNodes } from '../graph/order.js';
import { elementTypes } from '../onnx/element-types.js';
import type { Node } from '../onnx/ir.js';
import { subgraphs, usedNames } from '../onnx/names.js';

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Where nearly all of the arithmetic is: always in float16. */
const multiplies = words('MatMul Gemm Conv ConvTranspose');

/** Ops that take what they get: in float16 where all they work on is. Sums over many elements, exponentials, logarithms
 *  and quotients are not among them: they need the range or the digits. */
const follows = words(`
  Abs Add Concat Expand Flatten Gather Greater GreaterOrEqual Identity LeakyRelu Less LessOrEqual Max MaxPool Min Mul
  Neg Pad Relu Reshape Sigmoid Slice Split Squeeze Sub Tanh Tile Transpose Unsqueeze Where`);

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
  /** Names under which a value is there in float16, and values that are there in float16 only. */
  const halves = new Map<string, string>();
  const onlyHalf = new Set<string>();
  const inPasses = ancestors(nodes, ends);
  const isFloat = (name: string) => builder.values.get(name)?.type === 'float32';

  function cast(from: string, to: string, type: 'float16' | 'float32'): void {
    result.push({
      name: `${to}/Cast`,
      opType: 'Cast',
      domain: '',
      inputs: [from],
      outputs: [to],
      attributes: { to: { type: 'int', value: elementTypes[type].code } },
    });
  }

  function copy(from: string, to: string): void {
    const name = `${to}/Identity`;
    const [inputs, outputs] = [[from], [to]];
    result.push({ name, opType: 'Identity', domain: '', inputs, outputs, attributes: {} });
  }

  function declareHalf(name: string): string {
    const half = `${name}/float16`;
    const { shape } = builder.value(name);
    builder.declare({ name: half, type: imitates ? 'float32' : 'float16', shape });
    halves.set(name, half);
    return half;
  }

  function round(from: string, to: string): void {
    const { shape } = builder.value(to);
    const { name } = builder.declare({ name: `${to}/rounded`, type: 'float16', shape });
    cast(from, name, 'float16');
    cast(name, to, 'float32');
  }

  function inHalf(name: string): string {
    const known = halves.get(name);
    if (known !== undefined || !isFloat(name)) return known ?? name;
    const half = declareHalf(name);
    if (imitates) round(name, half);
    else cast(name, half, 'float16');
    return half;
  }

  function inFull(name: string): void {
    if (!onlyHalf.delete(name)) return;
    const half = halves.get(name) as string;
    if (imitates) copy(half, name);
    else cast(half, name, 'float32');
  }

  /** Whether float16 holds this as well: a value that is there already, a weight, a number that it can tell. */
  function isAtHome(name: string): boolean {
    if (halves.has(name) || weights.has(name) || !isFloat(name)) return true;
    const known = builder.initializers.get(name);
    if (known === undefined) return false;
    return (known.data as Float32Array).every(
      (value) => value === 0 || (Math.abs(value) >= smallest && Math.abs(value) <= largest),
    );
  }

  function goesHalf(node: Node): boolean {
    if (node.domain !== '' || !inPasses.has(node) || subgraphs(node).length > 0) return false;
    const floats = node.inputs.filter((name) => name !== '' && isFloat(name));
    if (multiplies.has(node.opType)) return floats.length > 0;
    return (
      follows.has(node.opType) &&
      floats.some((name) => halves.has(name) && !weights.has(name)) &&
      floats.every(isAtHome)
    );
  }

  for (const node of sortNodes(nodes)) {
    if (!goesHalf(node)) {
      for (const name of usedNames(node)) inFull(name);
      result.push(node);
      continue;
    }
    const inputs = node.inputs.map((name) => (name === '' ? '' : inHalf(name)));
    const made = node.outputs.map((name) => {
      if (name === '' || !isFloat(name)) return name;
      onlyHalf.add(name);
      const half = declareHalf(name);
      return imitates
        ? builder.declare({ ...builder.value(name), name: `${name}/exact` }).name
        : half;
    });
    result.push({ ...node, inputs, outputs: made });
    if (imitates)
      node.outputs.forEach((name, i) => {
        if (made[i] !== name) round(made[i] as string, halves.get(name) as string);
      });
  }
  for (const name of outputs) inFull(name);
  return prune(result, outputs);
}

/** The nodes that some values are computed from. */
function ancestors(nodes: readonly Node[], ends: ReadonlySet<string>): ReadonlySet<Node> {
  const wanted = new Set(ends);
  const found = new Set<Node>();
  for (const node of [...sortNodes(nodes)].reverse()) {
    if (!node.outputs.some((name) => wanted.has(name))) continue;
    found.add(node);
    for (const name of usedNames(node)) wanted.add(name);
  }
  return found;
}
