import { tensorOf } from '../graph/constants.js';
import { ownOutputs } from '../graph/identity.js';
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

const turn = 'gradware/turn';
const start = 'gradware/start';
const goOn = 'gradware/go_on';
const ownRows = 'gradware/own_rows';

function node(
  opType: string,
  inputs: readonly string[],
  output: string,
  attributes: Node['attributes'] = {},
): Node {
  return { name: output, opType, domain: '', inputs, outputs: [output], attributes };
}

function info(name: string, { type, shape: own }: Value, shape: ValueInfo['shape'] = own) {
  return { name, type, shape };
}

/** A number of no axes is the same for all examples. */
const hasRows = ({ shape }: Value) => shape.length > 0;

interface FeedingForm {
  /** What the graph is given. */
  inputs(values: readonly Value[]): readonly ValueInfo[];
  /** How a turn takes its own from that. */
  fetches(values: readonly Value[]): readonly Node[];
}

const feedingForms: Readonly<Record<LoopParts['feeding'], FeedingForm>> = {
  batches: {
    inputs: (values) =>
      values.map((value) => info(names.stacked(value.name), value, ['K', ...value.shape])),
    fetches: (values) => values.map(fromStack),
  },
  rows: {
    inputs: (values) => [
      { name: names.rows, type: 'int32', shape: ['K', values.find(hasRows)?.shape[0] ?? 0] },
      ...values.map((value) =>
        info(names.dataset(value.name), value, [
          ...(hasRows(value) ? [`N ${value.name}`] : []),
          ...value.shape.slice(1),
        ]),
      ),
    ],
    fetches: (values) => [
      node('Gather', [names.rows, turn], ownRows),
      ...values.map((value) =>
        hasRows(value)
          ? node('Gather', [names.dataset(value.name), ownRows], value.name)
          : node('Identity', [names.dataset(value.name)], value.name),
      ),
    ],
  },
};

function fromStack({ name }: Value): Node {
  return node('Gather', [names.stacked(name), turn], name);
}

/** Wraps the nodes of one step in a Loop: state is carried, inputs of all steps come stacked (or as a data set
 *  and row numbers), loss and metrics are collected. The number of steps is an input. */
export function loopGraph(parts: LoopParts): Graph {
  const { carried, collected, inputs, scalars, fixed, feeding } = parts;
  const loop: Node = {
    name: 'steps',
    opType: 'Loop',
    domain: '',
    inputs: [names.trips, start, ...carried.map(({ value }) => names.initial(value.name))],
    outputs: [
      ...carried.map(({ value }) => names.final(value.name)),
      ...collected.map((value) => names.collected(value.name)),
    ],
    attributes: { body: { type: 'graph', value: bodyOf(parts) } },
  };
  return {
    name: 'gradware steps',
    nodes: [loop],
    inputs: [
      { name: names.trips, type: 'int64', shape: [] },
      ...feedingForms[feeding].inputs(inputs),
      ...scalars.map((value) => info(names.stacked(value.name), value, ['K'])),
      ...fixed.map((value) => info(value.name, value)),
      ...carried.map(({ value }) => info(names.initial(value.name), value)),
    ],
    outputs: [
      ...carried.map(({ value }) => info(names.final(value.name), value)),
      ...collected.map((value) =>
        info(names.collected(value.name), value, ['K done', ...value.shape]),
      ),
    ],
    initializers: new Map([[start, tensorOf('bool', [1], [])]]),
    valueInfo: new Map(),
  };
}

/** One turn of the Loop. */
function bodyOf(parts: LoopParts): Graph {
  const { carried, collected, inputs, scalars, stop, feeding } = parts;
  const goesOn =
    stop === undefined
      ? node('Identity', [goOn], `${goOn}_next`)
      : node('Not', [stop], `${goOn}_next`);
  const wanted = [
    ...carried.map(({ value, next }) => ({ name: next, value, copy: `${value.name}/next` })),
    ...collected.map((value) => ({ name: value.name, value, copy: `${value.name}/turn` })),
  ];
  const { names: outputs, copies } = ownOutputs(parts.nodes, wanted, ({ copy }) => copy);
  return {
    name: 'step',
    nodes: [
      ...feedingForms[feeding].fetches(inputs),
      ...scalars.map(fromStack),
      ...parts.nodes,
      goesOn,
      ...copies,
    ],
    inputs: [
      { name: turn, type: 'int64', shape: [] },
      { name: goOn, type: 'bool', shape: [] },
      ...carried.map(({ value }) => info(value.name, value)),
    ],
    outputs: [
      { name: `${goOn}_next`, type: 'bool', shape: [] },
      ...wanted.map(({ value }, i) => info(outputs[i] ?? '', value)),
    ],
    initializers: parts.initializers,
    valueInfo: new Map(),
  };
}
