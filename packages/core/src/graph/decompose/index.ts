import { GradwareError } from '../../errors.js';
import type { Graph, Node } from '../../onnx/ir.js';
import { subgraphs, usedNames } from '../../onnx/names.js';
import type { GraphBuilder } from '../builder.js';
import { isStockOp } from '../dialect.js';
import { int, type Value } from '../value.js';
import { contextOf } from './context.js';
import type { Decomposition, FormContext } from './decomposition.js';
import { sequenceForm, sequences } from './sequences.js';
import { commonForms, fusedOps, keyOf, nestingOps, rareOps } from './table.js';

type RareOp = (typeof rareOps)[number];

export type RareForms = Readonly<
  Record<RareOp, (context: FormContext) => readonly Value[]> &
    Record<(typeof fusedOps)[number] | (typeof nestingOps)[number], Decomposition>
>;

const isRare = (node: Pick<Node, 'opType' | 'domain'>): boolean =>
  [...rareOps, ...fusedOps, ...nestingOps].some((name) => name === keyOf(node));

let rareForms: RareForms | undefined;

/** Undefined where no graph has needed them. */
export const loadedForms = () => rareForms;

/** Loads the forms of the rare ops among nodes, in nested graphs too. To be awaited before any of them is taken
 *  apart. */
export async function loadForms(nodes: readonly Node[]): Promise<void> {
  if (rareForms !== undefined || !nodes.some(holdsRare)) return;
  rareForms = (await import('./rare.js')).rareForms;
}

function holdsRare(node: Node): boolean {
  return isRare(node) || subgraphs(node).some(({ nodes }) => nodes.some(holdsRare));
}

const rareForm: Decomposition = (context) => {
  const { opType, name } = context.node;
  if (rareForms === undefined)
    throw new GradwareError('UNSUPPORTED', `The form of ${opType} is not loaded`, {
      where: `node ${name}`,
    });
  return rareForms[keyOf(context.node) as RareOp](context);
};

export function decompositionOf(node: Pick<Node, 'opType' | 'domain'>): Decomposition | undefined {
  if (isRare(node)) return rareForm;
  const key = keyOf(node);
  return Object.hasOwn(commonForms, key) ? commonForms[key] : undefined;
}

const isBatchFirst = ({ attributes }: Node) => int(attributes, 'layout', 0) === 1;

/** Forms of stock ops that ONNX Runtime's kernels refuse. */
const beyondKernels: Readonly<Record<string, (node: Node) => boolean>> = {
  GRU: isBatchFirst,
  LRN: ({ attributes }) => int(attributes, 'size', 1) % 2 === 0,
  LSTM: isBatchFirst,
  RNN: isBatchFirst,
};

const makesSequence = /^(Sequence(Empty|Construct|Insert|Erase)|SplitToSequence)$/;

function givesSequence({ nodes, outputs }: Graph): boolean {
  const names = new Set(outputs.map(({ name }) => name));
  return nodes.some(
    ({ opType, outputs: made }) =>
      makesSequence.test(opType) && made.some((name) => names.has(name)),
  );
}

/** Whether stock ONNX Runtime runs a node as it is. */
export function hasStockKernel(node: Node): boolean {
  const { opType, domain } = node;
  if (domain === '' && Object.hasOwn(sequences, opType)) return false;
  if (subgraphs(node).some(givesSequence)) return false;
  const refused = domain === '' && Object.hasOwn(beyondKernels, opType);
  return isStockOp(opType, domain) && !(refused && beyondKernels[opType]?.(node));
}

const nests: ReadonlySet<string> = new Set(nestingOps);

/** How a node is written that cannot stay as it is, wherever it stands. */
export function necessaryForm(builder: GraphBuilder, node: Node): Decomposition | undefined {
  const listed = nests.has(node.opType) ? undefined : sequenceForm(builder, node);
  const lists = usedNames(node).some((name) => builder.sequence(name) !== undefined);
  return listed ?? (lists || !hasStockKernel(node) ? decompositionOf(node) : undefined);
}

/** Takes the nodes among `wanted` apart that have no gradient rule of their own, in place. Where nobody wants a
 *  gradient a node stays whole: ONNX Runtime's kernel is the faster one. */
export function decompose(
  builder: GraphBuilder,
  wanted: ReadonlySet<Node>,
  longestUnrolled?: number,
): void {
  for (const node of builder.takeSince(0)) {
    const decomposition = wanted.has(node) ? decompositionOf(node) : undefined;
    if (decomposition === undefined) builder.add(node, []);
    else takeApart(builder, node, decomposition, longestUnrolled);
  }
}

/** Emits a node taken apart, with its outputs under their names. */
export function takeApart(
  builder: GraphBuilder,
  node: Node,
  decomposition: Decomposition,
  longestUnrolled?: number,
): void {
  const outputs = builder.scoped(node.name || node.opType, () =>
    decomposition(contextOf(builder, node, longestUnrolled)),
  );
  node.outputs.forEach((output, i) => {
    const made = outputs[i];
    if (output === '' || made === undefined) return;
    const items = builder.sequence(made);
    if (items !== undefined) {
      builder.listed(items, output);
      return;
    }
    const { type, shape } = made;
    builder.add(
      {
        name: `${output}/Identity`,
        opType: 'Identity',
        domain: '',
        inputs: [made.name],
        outputs: [output],
        attributes: {},
      },
      [{ name: output, type, shape }],
    );
  });
}
