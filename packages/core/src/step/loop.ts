import { tensorOf } from '../graph/constants.js';
import type { Value } from '../graph/value.js';
import type { Graph, Node, TensorData, ValueInfo } from '../onnx/ir.js';
import { names } from './program.js';

export interface LoopParts {
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<string, TensorData>;
  /** Carried from turn to turn: a value, and the name of what it becomes. */
  readonly carried: readonly { readonly value: Value; readonly next: string }[];
  /** Collected from every turn: [K, ...]. */
  readonly collected: readonly Value[];
  /** Inputs that differ from turn to turn. */
  readonly inputs: readonly Value[];
  readonly scalars: readonly Value[];
  /** Inputs that stay. */
  readonly fixed: readonly Value[];
  /** Ends the loop after the turn in which it is true. */
  readonly stop: string | undefined;
  readonly feeding: 'batches' | 'rows';
}

function node(
  opType: string,
  inputs: readonly string[],
  output: string,
  attributes: Node['attributes'] = {},
): Node {
  return { name: output, opType, domain: '', inputs, outputs: [output], attributes };
}

function info(name: string, { type }: Value, shape: ValueInfo['shape']): ValueInfo {
  return { name, type, shape };
}

/** Wraps the nodes of one step in a Loop: state is carried, inputs of all steps come stacked (or as a data set
 *  and row numbers), loss and metrics are collected. The number of steps is an input. */
export function loopGraph(parts: LoopParts): Graph {
  const { carried, collected, inputs, scalars, fixed, feeding } = parts;
  const turn = 'gradware/turn';
  const pick = (value: Value, source: string) => node('Gather', [source, turn], value.name);
  const fetches =
    feeding === 'batches'
      ? inputs.map((value) => pick(value, names.stacked(value.name)))
      : [
          node('Gather', [names.rows, turn], 'gradware/own_rows'),
          ...inputs.map((value) =>
            node('Gather', [names.dataset(value.name), 'gradware/own_rows'], value.name),
          ),
        ];
  const inner = [...fetches, ...scalars.map((value) => pick(value, names.stacked(value.name)))];

  // The body must make each of its outputs itself, and each once.
  const made = new Set(parts.nodes.flatMap((own) => own.outputs));
  const taken = new Set<string>();
  const copies: Node[] = [];
  const output = (name: string, as: string): string => {
    if (made.has(name) && !taken.has(name)) {
      taken.add(name);
      return name;
    }
    copies.push(node('Identity', [name], as));
    return as;
  };
  const goOn =
    parts.stop === undefined
      ? node('Identity', ['gradware/go_on'], 'gradware/go_on_next')
      : node('Not', [parts.stop], 'gradware/go_on_next');
  const next = carried.map(({ value, next: name }) => output(name, `${value.name}/next`));
  const rows = collected.map((value) => output(value.name, `${value.name}/turn`));
  const body: Graph = {
    name: 'step',
    nodes: [...inner, ...parts.nodes, goOn, ...copies],
    inputs: [
      { name: turn, type: 'int64', shape: [] },
      { name: 'gradware/go_on', type: 'bool', shape: [] },
      ...carried.map(({ value }) => info(value.name, value, value.shape)),
    ],
    outputs: [
      { name: 'gradware/go_on_next', type: 'bool', shape: [] },
      ...next.map((name, i) =>
        info(
          name,
          (carried[i] as { value: Value }).value,
          (carried[i] as { value: Value }).value.shape,
        ),
      ),
      ...rows.map((name, i) => info(name, collected[i] as Value, (collected[i] as Value).shape)),
    ],
    initializers: parts.initializers,
    valueInfo: new Map(),
  };
  const loop: Node = {
    name: 'steps',
    opType: 'Loop',
    domain: '',
    inputs: [
      names.trips,
      'gradware/start',
      ...carried.map(({ value }) => names.initial(value.name)),
    ],
    outputs: [
      ...carried.map(({ value }) => names.final(value.name)),
      ...collected.map((value) => names.collected(value.name)),
    ],
    attributes: { body: { type: 'graph', value: body } },
  };
  const feeds =
    feeding === 'batches'
      ? inputs.map((value) => info(names.stacked(value.name), value, ['K', ...value.shape]))
      : [
          { name: names.rows, type: 'int32' as const, shape: ['K', inputs[0]?.shape[0] ?? 0] },
          ...inputs.map((value) =>
            info(names.dataset(value.name), value, [`N ${value.name}`, ...value.shape.slice(1)]),
          ),
        ];
  return {
    name: 'gradware steps',
    nodes: [loop],
    inputs: [
      { name: names.trips, type: 'int64', shape: [] },
      ...feeds,
      ...scalars.map((value) => info(names.stacked(value.name), value, ['K'])),
      ...fixed.map((value) => info(value.name, value, value.shape)),
      ...carried.map(({ value }) => info(names.initial(value.name), value, value.shape)),
    ],
    outputs: [
      ...carried.map(({ value }) => info(names.final(value.name), value, value.shape)),
      ...collected.map((value) =>
        info(names.collected(value.name), value, ['K done', ...value.shape]),
      ),
    ],
    initializers: new Map([['gradware/start', tensorOf('bool', [1], [])]]),
    valueInfo: new Map(),
  };
}
