import type { Graph, TensorData } from '../../onnx/ir.js';
import { usedNames } from '../../onnx/names.js';
import { countedBody } from '../bound-loops.js';
import { numbersOf, tensorOf } from '../constants.js';
import { knownNumbers } from '../known-numbers.js';
import { prune, sortNodes } from '../order.js';
import type { Value } from '../value.js';
import type { DecompositionContext } from './decomposition.js';
import { neverStops } from './loop.js';

/** Emits the nodes of a body. */
export type Inline = (graph: Graph, bound: ReadonlyMap<string, Value>) => readonly Value[];

/** What the body of a Loop carries from turn to turn. */
export interface LoopState {
  /** In the body, before and after a turn. */
  readonly name: string;
  readonly next: string;
  readonly initial: Value;
  /** It stays what it is. */
  readonly kept: boolean;
}

export function statesOf({ node, x }: DecompositionContext, body: Graph): readonly LoopState[] {
  return body.inputs.slice(2, node.inputs.length).map(({ name }, i): LoopState => {
    const next = body.outputs[1 + i]?.name ?? '';
    return { name, next, initial: x[2 + i] as Value, kept: originIn(body, next) === name };
  });
}

/** What a value of a body is another name of. */
export function originIn(body: Graph, name: string): string {
  const maker = body.nodes.find(({ outputs }) => outputs.includes(name));
  return maker?.opType === 'Identity' ? originIn(body, maker.inputs[0] ?? '') : name;
}

/** What of a body is known before anything runs. */
export interface Count {
  /** Names of inputs of the body. */
  readonly counters: ReadonlySet<string>;
  readonly follows: (name: string) => boolean;
  /** Follows from the turn, and differs between turns. */
  readonly varies: (name: string) => boolean;
}

export function countOf(
  { builder }: DecompositionContext,
  body: Graph,
  states: readonly LoopState[],
): Count {
  const isKnown = (name: string) =>
    builder.values.has(name) && builder.constant(name) !== undefined;
  const starts = states.map(({ initial }) => isKnown(initial.name));
  const { counters, follows } = countedBody(body, starts, isKnown);
  const moving = new Set(body.inputs.map(({ name }) => name));
  for (const { name, kept } of states) if (kept && counters.has(name)) moving.delete(name);
  const fixed = (name: string) =>
    body.initializers.has(name) || (!moving.has(name) && (counters.has(name) || isKnown(name)));
  const constant = knownNumbers(sortNodes(body.nodes), fixed);
  return {
    counters,
    follows,
    varies: (name) => follows(name) && !constant.has(name) && !fixed(name),
  };
}

/** The turns of a Loop as they will be. */
export interface Turns {
  readonly count: number;
  /** Numbers of a value of the body in all turns, [turns, ...]; undefined where they do not follow. */
  of(name: string): TensorData | undefined;
  /** A counter after the last turn. */
  end(state: LoopState): TensorData;
}

/** A loop of more turns than this is left to itself. */
const most = 2 ** 14;

/** Counts: makes each turn's numbers of the counters, of the condition, and of what else is wanted.
 *  @returns undefined where the turns do not follow from constants and shapes */
export function countTurns(
  context: DecompositionContext,
  body: Graph,
  states: readonly LoopState[],
  { counters, follows }: Count,
  wanted: readonly string[],
  inline: Inline,
): Turns | undefined {
  const { builder, op, has, constant } = context;
  const limit = has(0) ? constant(0)?.[0] : Number.POSITIVE_INFINITY;
  if (limit === undefined || (has(1) && constant(1)?.[0] !== 1)) return undefined;
  const [turn = '', going = ''] = body.inputs.map(({ name }) => name);
  const condition = body.outputs[0]?.name ?? '';
  const stops = !neverStops(builder, body);
  if (stops && !follows(condition)) return undefined;
  const moving = states.filter(({ name, kept }) => counters.has(name) && !kept);
  const inputs = new Set([turn, ...moving.map(({ name }) => name)]);
  const asked = wanted.filter((name) => !inputs.has(name));
  const names = [...moving.map(({ next }) => next), ...asked, ...(stops ? [condition] : [])];
  const nodes = prune(body.nodes, names);
  const used = new Set([...nodes.flatMap(usedNames), ...names]);
  const part: Graph = {
    ...body,
    nodes,
    outputs: names.map((name) => ({ name })),
    initializers: new Map([...body.initializers].filter(([name]) => used.has(name))),
  };
  const numbers = new Map<string, (TensorData | undefined)[]>();
  const note = (name: string, value: Value) => {
    const list = numbers.get(name) ?? [];
    numbers.set(name, list);
    list.push(builder.constant(value));
  };
  // Of those that are no counters only the shapes are asked.
  const known = new Map(states.map(({ name, initial }) => [name, initial] as const));
  let now: readonly Value[] = moving.map(({ initial }) => initial);
  let count = 0;
  for (let more = true; more && count < limit; count++) {
    if (count === most) return undefined;
    const at = op.scalar(count, 'int64');
    const own = moving.map(({ name }, i) => [name, now[i] as Value] as const);
    for (const [name, value] of [[turn, at] as const, ...own]) note(name, value);
    const mark = builder.nodes.length;
    const made = inline(
      part,
      new Map([...known, ...own, [turn, at], [going, op.scalar(1, 'bool')]]),
    );
    asked.forEach((name, i) => {
      note(name, made[moving.length + i] as Value);
    });
    const ends = made.slice(0, moving.length).map((value) => builder.constant(value));
    const on = stops ? builder.constant(made.at(-1) as Value) : undefined;
    builder.takeSince(mark);
    if (ends.includes(undefined) || (stops && on === undefined)) return undefined;
    now = (ends as readonly TensorData[]).map((tensor) =>
      tensor.dims.length === 0
        ? op.scalar(Number(tensor.data[0]), tensor.type)
        : op.constant(tensor),
    );
    more = on === undefined || Number(on.data[0]) !== 0;
  }
  return {
    count,
    of: (name) => stackedNumbers(numbers.get(name) ?? []),
    end: (state) => builder.constant(now[moving.indexOf(state)] as Value) as TensorData,
  };
}

function stackedNumbers(tensors: readonly (TensorData | undefined)[]): TensorData | undefined {
  const [first] = tensors;
  if (first === undefined) return undefined;
  const rows = tensors.flatMap((tensor) =>
    tensor?.type === first.type && tensor.dims.join() === first.dims.join()
      ? [numbersOf(tensor)]
      : [undefined],
  );
  if (rows.includes(undefined)) return undefined;
  return tensorOf(first.type, (rows as number[][]).flat(), [tensors.length, ...first.dims]);
}
