import type { Graph, Node, TensorData } from '../../onnx/ir.js';
import { numbersOf, tensorOf } from '../constants.js';
import { int, normalizeAxis, type Value } from '../value.js';
import type { DecompositionContext } from './decomposition.js';
import { type Count, type LoopState, originIn, type Turns } from './loop-turns.js';

/** A node of a body that takes this turn's part of what all turns share. */
export interface Read {
  readonly node: Node;
  readonly source: Value;
  /** The inputs that say which part. */
  readonly places: readonly string[];
}

/** Gather and Slice of values outside, at places that follow from the turn. */
export function readsOf(
  { builder }: DecompositionContext,
  body: Graph,
  states: readonly LoopState[],
  { follows, varies }: Count,
): readonly Read[] {
  const inside = new Set([
    ...body.inputs.map(({ name }) => name),
    ...body.initializers.keys(),
    ...body.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const kept = new Map(states.flatMap((s) => (s.kept ? [[s.name, s.initial] as const] : [])));
  return body.nodes.flatMap((node): Read[] => {
    if (!Object.hasOwn(readers, node.opType) || node.domain !== '') return [];
    const [from = '', ...rest] = node.inputs;
    const origin = originIn(body, from);
    const source = kept.get(origin) ?? (inside.has(origin) ? undefined : builder.value(origin));
    const places = rest.filter((name) => name !== '');
    if (source === undefined || !places.every(follows) || !places.some(varies)) return [];
    return [{ node, source, places }];
  });
}

/** What a read gives in all turns, [turns, ...], emitted outside of them; undefined where it has no such form. */
export function readOfAll(
  context: DecompositionContext,
  { node, source, places }: Read,
  turns: Turns,
): Value | undefined {
  const tensors = places.map((name) => turns.of(name));
  if (tensors.includes(undefined)) return undefined;
  const reader = readers[node.opType as keyof typeof readers];
  return reader(context, node, source, tensors as readonly TensorData[]);
}

type Reader = (
  context: DecompositionContext,
  node: Node,
  source: Value,
  places: readonly TensorData[],
) => Value | undefined;

const readers = {
  Gather({ op }, node, source, [places]) {
    const axis = normalizeAxis(int(node.attributes, 'axis', 0), source.shape.length);
    return partsAlong(op, source, axis, places as TensorData);
  },
  /** Windows of one width along one axis. */
  Slice({ op }, _, source, [starts, ends, axes, strides]) {
    const of = (tensor: TensorData | undefined) => (tensor && numbersOf(tensor)) ?? [];
    const [from, to, along] = [of(starts), of(ends), of(axes)];
    const turns = starts?.dims[0] ?? 0;
    const single = from.length === turns && along.every((axis) => axis === along[0]);
    if (!single || !of(strides).every((stride) => stride === 1)) return undefined;
    const axis = normalizeAxis(along[0] ?? 0, source.shape.length);
    const size = source.shape[axis] ?? 0;
    const bound = (n: number) => Math.min(size, Math.max(0, n < 0 ? n + size : n));
    const width = bound(to[0] ?? 0) - bound(from[0] ?? 0);
    if (width < 0 || !from.every((n, t) => bound(to[t] ?? 0) - bound(n) === width))
      return undefined;
    const rows = from.flatMap((n) => Array.from({ length: width }, (__, i) => bound(n) + i));
    return partsAlong(op, source, axis, tensorOf('int64', rows, [turns, width]));
  },
} satisfies Record<string, Reader>;

/** Parts along an axis, [turns, ...]: a part at each place of a turn, the axes of the places where the axis was. */
function partsAlong(
  op: DecompositionContext['op'],
  source: Value,
  axis: number,
  places: TensorData,
): Value | undefined {
  const size = source.shape[axis] ?? 0;
  const numbers = (numbersOf(places) ?? []).map((n) => (n < 0 ? n + size : n));
  if (!numbers.every((n) => n >= 0 && n < size)) return undefined;
  const [first = 0] = numbers;
  const inOrder = places.dims.length === 1 && numbers.every((n, t) => n === first + t);
  const parts =
    inOrder && numbers.length === size
      ? source
      : inOrder
        ? op.slice(source, axis, first, first + numbers.length)
        : op.Gather(source, op.constant(tensorOf('int64', numbers, places.dims)), { axis });
  const others = parts.shape.map((_, a) => a).filter((a) => a !== axis);
  return op.transpose(parts, [axis, ...others]);
}
