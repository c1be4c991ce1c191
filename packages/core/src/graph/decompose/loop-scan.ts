import type { Graph, Node } from '../../onnx/ir.js';
import { usedNames } from '../../onnx/names.js';
import { decidingInputs } from '../known-numbers.js';
import { emitScan, formalOf, rowType, type ScanSequence, type ScanState } from '../scan.js';
import { sameShape, type Value } from '../value.js';
import type { DecompositionContext } from './decomposition.js';
import { readOfAll, readsOf } from './loop-reads.js';
import { countOf, countTurns, type Inline, type LoopState, statesOf } from './loop-turns.js';
import { needsOwnSteps } from './own-steps.js';

/** A Loop whose turns are counted, as a Scan that the differentiator knows: counters are constants, and what each turn
 *  takes of a value outside is a row of it. Undefined for one that has to be unrolled, and for a short one. */
export function scannedLoop(
  context: DecompositionContext,
  body: Graph,
  inline: Inline,
): readonly (Value | undefined)[] | undefined {
  const { builder, op } = context;
  if (needsOwnSteps(body)) return undefined;
  const states = statesOf(context, body);
  const count = countOf(context, body, states);
  const reads = readsOf(context, body, states, count);
  const places = [...new Set(reads.flatMap((read) => read.places))];
  const turns = countTurns(context, body, states, count, places, inline);
  if (turns === undefined || turns.count <= context.longestUnrolled) return undefined;

  const isCounter = ({ name, kept }: LoopState) => count.counters.has(name) && !kept;
  const plain = states.filter((state) => !state.kept && !isCounter(state));

  const start = builder.nodes.length;
  const giveUp = () => void builder.takeSince(start);
  const sequences: ScanSequence[] = [];
  const along = (name: string, value: Value) => {
    const formal = formalOf(builder, name, rowType(value));
    sequences.push({ value, formal });
    return formal;
  };
  const bound = new Map<string, Value>();
  const read = new Set<Node>();
  for (const each of reads) {
    const value = readOfAll(context, each, turns);
    if (value === undefined) continue;
    const [name = ''] = each.node.outputs;
    bound.set(name, along(name, value));
    read.add(each.node);
  }
  const [turn = '', going = ''] = body.inputs.map(({ name }) => name);
  for (const name of [turn, ...states.filter(isCounter).map((s) => s.name)]) {
    const numbers = turns.of(name);
    if (numbers === undefined) return giveUp();
    bound.set(name, along(name, op.constant(numbers)));
  }
  bound.set(going, op.scalar(1, 'bool'));
  for (const { name, kept, initial } of states) if (kept) bound.set(name, initial);
  const before = plain.map((s) => formalOf(builder, s.name, s.initial));
  plain.forEach(({ name }, i) => {
    bound.set(name, before[i] as Value);
  });

  const rows = body.outputs.slice(1 + states.length).map(({ name }) => name);
  const wanted = [...plain.map(({ next }) => next), ...rows];
  const rest = neededOf(body, wanted, read);
  if (rest.some((each) => decidingInputs(each).some(count.varies))) return giveUp();

  const mark = builder.nodes.length;
  const made = inline({ ...body, nodes: rest, outputs: wanted.map((name) => ({ name })) }, bound);
  const nodes = builder.takeSince(mark);
  const parts = plain.map(
    ({ initial }, i): ScanState => ({
      initial,
      formal: before[i] as Value,
      next: made[i] as Value,
    }),
  );
  const keeps = ({ initial, next }: ScanState) =>
    initial.type === next.type && sameShape(initial.shape, next.shape);
  if (!parts.every(keeps)) return giveUp();
  const used = new Set([...nodes.flatMap(usedNames), ...made.map(({ name }) => name)]);
  const needed = sequences.filter(({ formal }) => used.has(formal.name));
  const scan = emitScan(builder, {
    name: builder.fresh('Scan'),
    nodes,
    states: parts,
    // A Scan has as many steps as its sequences have rows.
    sequences: needed.length > 0 ? needed : sequences.slice(-1),
    rows: made.slice(plain.length),
    backward: false,
  });
  const ends = states.map((state) => {
    if (state.kept) return state.initial;
    if (isCounter(state)) return op.constant(turns.end(state));
    return scan.states[plain.indexOf(state)];
  });
  return [...ends, ...scan.rows];
}

/** The nodes that some values are made of, without those whose outputs are there. */
function neededOf(
  { nodes }: Graph,
  wanted: readonly string[],
  without: ReadonlySet<Node>,
): readonly Node[] {
  const makers = new Map(
    nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)),
  );
  const found = new Set<Node>();
  const open = [...wanted];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const node = makers.get(name);
    if (node === undefined || without.has(node) || found.has(node)) continue;
    found.add(node);
    open.push(...usedNames(node));
  }
  return nodes.filter((node) => found.has(node));
}
