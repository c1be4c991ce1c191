import { GradwareError } from '../../errors.js';
import type { Node } from '../../onnx/ir.js';
import type { GraphBuilder } from '../builder.js';
import { int, normalizeAxis, sameShape, type Value } from '../value.js';
import {
  type Decomposition,
  type DecompositionContext,
  type Decompositions,
  decompositions,
} from './decomposition.js';
import { stacked, unstacked } from './stack.js';

/** @throws GradwareError UNSUPPORTED: what is in a sequence has to be known before anything runs */
function refuse({ node }: DecompositionContext, problem: string): never {
  throw new GradwareError('UNSUPPORTED', `${node.opType}: ${problem}`, {
    where: `node ${node.name || node.outputs[0]}`,
    remedy: 'Export the model with tensors (torch.stack, slices) in place of lists of tensors.',
  });
}

function itemsOf(context: DecompositionContext, i = 0): readonly Value[] {
  const items = context.builder.sequence(context.node.inputs[i] ?? '');
  return items ?? refuse(context, 'the length of the sequence is known only at run time');
}

/** The position that input i gives, counted from the end where negative. */
function placeOf(context: DecompositionContext, i: number, length: number, missing: number) {
  if (!context.has(i)) return missing;
  const place = context.constant(i)?.[0];
  if (place === undefined) return refuse(context, 'a position is known only at run time');
  const counted = place < 0 ? place + length : place;
  if (counted >= 0 && counted <= missing) return counted;
  return refuse(context, `position ${place} is not in a sequence of ${length}`);
}

/** Sizes of the parts along an axis of some length: as given, or as many of one size as there are. */
function sizesOf(context: DecompositionContext, length: number): readonly number[] {
  const { has, constant, x } = context;
  if (!has(1)) return Array<number>(length).fill(1);
  const given = constant(1);
  if (given === undefined) return refuse(context, 'the sizes are known only at run time');
  if (x[1].shape.length > 0) return given;
  const size = given[0] ?? 0;
  if (!(size > 0)) return refuse(context, `parts of ${size} rows`);
  const count = Math.ceil(length / size);
  return Array.from({ length: count }, (_, i) => Math.min(size, length - i * size));
}

function split(context: DecompositionContext): readonly Value[] {
  const { builder, op, x, attributes, has } = context;
  const axis = normalizeAxis(int(attributes, 'axis', 0), x[0].shape.length);
  if (!has(1) && int(attributes, 'keepdims', 1) === 0)
    return [builder.listed(unstacked(op, x[0], axis))];
  const sizes = sizesOf(context, x[0].shape[axis] ?? 0);
  const parts = sizes.length > 1 ? op.Split(x[0], op.ints(sizes), { axis }) : sizes.map(() => x[0]);
  return [builder.listed(parts)];
}

function join(context: DecompositionContext): readonly Value[] {
  const { op, attributes } = context;
  const items = itemsOf(context);
  const [first] = items;
  if (first === undefined) return refuse(context, 'the sequence is empty');
  const axis = int(attributes, 'axis', 0);
  if (int(attributes, 'new_axis', 0) === 1)
    return [wholeOf(context, items, axis) ?? stacked(op, items, axis)];
  const at = normalizeAxis(axis, first.shape.length);
  return [items.length === 1 ? first : op.Concat(...items, { axis: at })];
}

/** The tensor whose rows, all of them and in order, a list is; with their axis at another place. */
function wholeOf({ builder, op }: DecompositionContext, items: readonly Value[], to: number) {
  const rowOf = (item: Value) => {
    const maker = builder.producer(item);
    return maker?.opType === 'Reshape' ? maker.inputs[0] : undefined;
  };
  const split = builder.producer(rowOf(items[0] as Value) ?? '');
  if (split?.opType !== 'Split' || split.outputs.length !== items.length) return undefined;
  if (!items.every((item, i) => rowOf(item) === split.outputs[i])) return undefined;
  const whole = builder.value(split.inputs[0] ?? '');
  const rank = whole.shape.length;
  const from = normalizeAxis(int(split.attributes, 'axis', 0), rank);
  const row = whole.shape.toSpliced(from, 1);
  if (!items.every(({ shape }) => sameShape(shape, row))) return undefined;
  const others = whole.shape.map((_, axis) => axis).filter((axis) => axis !== from);
  return op.transpose(whole, others.toSpliced(normalizeAxis(to, rank), 0, from));
}

/** Ops on sequences leave no nodes behind: lists are known before anything runs. */
export const sequences = decompositions({
  SequenceEmpty: ({ builder }) => [builder.listed([])],
  SequenceConstruct: ({ builder, node, x }) => [builder.listed(x.slice(0, node.inputs.length))],
  SequenceInsert(context) {
    const items = itemsOf(context);
    const place = placeOf(context, 2, items.length, items.length);
    return [context.builder.listed(items.toSpliced(place, 0, context.x[1]))];
  },
  SequenceErase(context) {
    const items = itemsOf(context);
    const place = placeOf(context, 1, items.length, items.length - 1);
    return [context.builder.listed(items.toSpliced(place, 1))];
  },
  SequenceAt(context) {
    const items = itemsOf(context);
    const place = placeOf(context, 1, items.length, items.length - 1);
    return [items[place] ?? refuse(context, 'the sequence is empty')];
  },
  SequenceLength: (context) => [context.op.scalar(itemsOf(context).length, 'int64')],
  SplitToSequence: split,
  ConcatFromSequence: join,
});

/** How a node that makes or takes sequences is written without them; undefined for all other nodes. Those with nested
 *  graphs are left to themselves. */
export function sequenceForm(builder: GraphBuilder, node: Node): Decomposition | undefined {
  const { opType, domain, inputs } = node;
  const table: Decompositions = sequences;
  if (domain === '' && Object.hasOwn(table, opType)) return table[opType];
  if (!inputs.some((name) => builder.sequence(name) !== undefined)) return undefined;
  if (opType === 'Identity') return ({ x }) => [x[0]];
  return (context) => refuse(context, 'it cannot take a sequence of tensors');
}
