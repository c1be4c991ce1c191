import type { Attribute, Graph, Node, TensorData } from '../onnx/ir.js';
import { subgraphs } from '../onnx/names.js';
import { constantAttribute } from './fold.js';
import { knownNumbers } from './known-numbers.js';
import { sortNodes } from './order.js';

type IsKnown = (name: string) => boolean;

/** The more steps, the larger the graph: beyond this a session takes minutes to open. */
export const mostSteps = 4096;

/** Names of constants: turns after which a loop ends in any case. */
export interface Bounds {
  /** Where data decide. */
  readonly once: string;
  /** Where a counter decides: more turns than can be trained. */
  readonly counted: string;
}

/** More turns than a question of types may take; where the shape of what a loop puts out turn by turn depends on
 *  them, more than any loop makes whose trip count means something. */
const most = { carrying: 2 ** 17, puttingOut: 2 ** 20 };

/** What of the body of a Loop is known before anything runs. */
export interface CountedBody {
  /** Inputs of the body: the turn, and states that are counters. */
  readonly counters: ReadonlySet<string>;
  /** Whether a value follows from the turn, from counters that are carried along, and from what is known outside. */
  follows(name: string): boolean;
}

/** @param starts whether the states that it carries are known before the first turn */
export function countedBody(
  body: Graph,
  starts: readonly boolean[],
  isKnown: IsKnown,
): CountedBody {
  const nodes = sortNodes(body.nodes);
  const states = body.inputs.slice(2).map(({ name }, i) => ({
    name,
    next: body.outputs[i + 1]?.name ?? '',
    known: starts[i] ?? false,
  }));
  const given = body.inputs.slice(0, 2).map(({ name }) => name);
  for (;;) {
    const counters = new Set([...given, ...states.flatMap((s) => (s.known ? [s.name] : []))]);
    const shadowed = new Set(body.inputs.map(({ name }) => name));
    const isConstant = (name: string) =>
      counters.has(name) || body.initializers.has(name) || (!shadowed.has(name) && isKnown(name));
    const known = knownNumbers(nodes, isConstant);
    const follows = (name: string) => known.has(name) || isConstant(name);
    const lost = states.filter((state) => state.known && !follows(state.next));
    if (lost.length === 0) return { counters, follows };
    for (const state of lost) state.known = false;
  }
}

/** Whether a loop ends after the same turn, whatever it is fed. */
function isCounted(body: Graph, starts: readonly boolean[], isKnown: IsKnown): boolean {
  return countedBody(body, starts, isKnown).follows(body.outputs[0]?.name ?? '');
}

/** The same nodes with loops of one turn where nothing but a condition on data would end them: on zeros it may never. A
 *  state that is carried along keeps its type and shape from turn to turn. Loops that count end as they would. */
export function boundLoops(
  nodes: readonly Node[],
  constantOf: (name: string) => TensorData | undefined,
  bounds: Bounds,
  isKnown: IsKnown = (name) => constantOf(name) !== undefined,
): readonly Node[] {
  if (nodes.every((node) => subgraphs(node).length === 0)) return nodes;
  const own = new Map(
    nodes.flatMap((node) =>
      node.opType === 'Constant' ? [[node.outputs[0], constantAttribute(node)] as const] : [],
    ),
  );
  const constant = (name: string) => own.get(name) ?? constantOf(name);
  const numbers = knownNumbers(sortNodes(nodes), isKnown);
  const known: IsKnown = (name) => numbers.has(name) || isKnown(name);
  const inside = (graph: Graph): Graph => {
    const local = (name: string) => graph.initializers.get(name) ?? constant(name);
    const isLocal: IsKnown = (name) => graph.initializers.has(name) || known(name);
    return { ...graph, nodes: boundLoops(graph.nodes, local, bounds, isLocal) };
  };
  const endOf = ({ inputs, outputs, attributes }: Node): string => {
    const [trips = '', , ...states] = inputs;
    const limit = outputs.length > states.length ? most.puttingOut : most.carrying;
    const endless = trips === '' || Number(constant(trips)?.data[0] ?? 0) > limit;
    if (!endless) return trips;
    const { body } = attributes;
    const counts = body?.type === 'graph' && isCounted(body.value, states.map(known), known);
    return counts ? bounds.counted : bounds.once;
  };
  return nodes.map((node) => {
    if (subgraphs(node).length === 0) return node;
    const inputs = node.opType === 'Loop' ? [endOf(node), ...node.inputs.slice(1)] : node.inputs;
    const attributes = Object.entries(node.attributes).map(
      ([key, attribute]): [string, Attribute] =>
        attribute.type === 'graph'
          ? [key, { ...attribute, value: inside(attribute.value) }]
          : [key, attribute],
    );
    return { ...node, inputs, attributes: Object.fromEntries(attributes) };
  });
}
