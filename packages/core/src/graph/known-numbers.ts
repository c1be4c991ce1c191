import { GradwareError } from '../errors.js';
import type { Node } from '../onnx/ir.js';
import { usedNames } from '../onnx/names.js';

/** Inputs whose numbers, not only their shapes, decide the shape of an output. */
const shaping: Readonly<Record<string, readonly number[]>> = {
  CenterCropPad: [1],
  Compress: [1],
  ConstantOfShape: [0],
  Expand: [1],
  NonMaxSuppression: [0, 1, 2, 3, 4],
  NonZero: [0],
  OneHot: [1],
  Pad: [1, 3],
  Range: [0, 1, 2],
  Reshape: [1],
  Resize: [2, 3],
  Slice: [1, 2, 3, 4],
  Split: [1],
  SplitToSequence: [1],
  Squeeze: [1],
  Tile: [1],
  TopK: [1],
  Unique: [0],
  Unsqueeze: [1],
};

/** Further inputs that gradients and decompositions want to know before anything runs. */
const deciding: Readonly<Record<string, readonly number[]>> = {
  CumSum: [1],
  If: [0],
  Loop: [0, 1],
  SequenceAt: [1],
  SequenceErase: [1],
  SequenceInsert: [2],
  Trilu: [1],
};

const pick = (table: typeof shaping, { opType, domain, inputs }: Node): readonly string[] => {
  const places = domain === '' && Object.hasOwn(table, opType) ? (table[opType] ?? []) : [];
  return places.flatMap((i) => inputs[i] || []);
};

export function shapingInputs(node: Node): readonly string[] {
  const axes = /^Reduce/.test(node.opType) && node.domain === '' ? (node.inputs[1] ?? '') : '';
  return axes === '' ? pick(shaping, node) : [axes];
}

export function decidingInputs(node: Node): readonly string[] {
  return [...shapingInputs(node), ...pick(deciding, node)];
}

const shapeOnly: ReadonlySet<string> = new Set(['Shape', 'Size']);
const random = /^(Bernoulli|Dropout|Multinomial|Random)/;

/** Values whose numbers follow from constants and from shapes, whatever is fed.
 *  @param sorted each node after those that it takes values from */
export function knownNumbers(
  sorted: readonly Node[],
  isConstant: (name: string) => boolean,
): ReadonlySet<string> {
  const known = new Set<string>();
  for (const node of sorted) {
    const follows =
      shapeOnly.has(node.opType) ||
      (!random.test(node.opType) &&
        usedNames(node).every((name) => known.has(name) || isConstant(name)));
    if (follows) for (const output of node.outputs) known.add(output);
  }
  return known;
}

/** The nodes that some values are made of, back to constants and to what only its shape is asked of. */
export function makersOf(
  names: Iterable<string>,
  producer: (name: string) => Node | undefined,
): readonly Node[] {
  const found = new Set<Node>();
  const open = [...names];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const node = producer(name);
    if (node === undefined || found.has(node)) continue;
    found.add(node);
    if (!shapeOnly.has(node.opType)) open.push(...usedNames(node));
  }
  return [...found];
}

/** Nodes that have outputs whose shape depends on what is fed, or on weights. */
export function shapedByData(
  nodes: readonly Node[],
  isKnown: (name: string) => boolean,
): readonly Node[] {
  return nodes.filter((node) => shapingInputs(node).some((name) => !isKnown(name)));
}

/** @throws GradwareError UNSUPPORTED where there is one: a step is compiled for exact shapes */
export function refuseShapedByData(nodes: readonly Node[]): void {
  const [first] = nodes;
  if (first === undefined) return;
  const ops = [...new Set(nodes.map(({ opType }) => opType))];
  throw new GradwareError(
    'UNSUPPORTED',
    `The shape of what ${ops.join(', ')} gives depends on the data, and training needs exact shapes`,
    {
      where: nodes
        .slice(0, 8)
        .map(({ opType, name, outputs }) => `${opType} node ${name || outputs[0]}`)
        .join('; '),
      remedy:
        'Export the model with masks of fixed shape (torch.where, a product with 0 and 1) in place of boolean indexing, nonzero and sizes computed from data.',
    },
  );
}
