import type { Graph, Node, ValueInfo } from '../onnx/ir.js';
import { usedNames } from '../onnx/names.js';
import type { GraphBuilder } from './builder.js';
import { ownOutputs } from './identity.js';
import { prune } from './order.js';
import { int, ints, type TensorType, type Value } from './value.js';

/** What a Scan carries from step to step. */
export interface ScanState {
  readonly initial: Value;
  /** Stands for the state within the body. */
  readonly formal: Value;
  readonly next: Value;
}

/** What a Scan walks through along its first axis. */
export interface ScanSequence {
  readonly value: Value;
  readonly formal: Value;
}

export interface ScanParts {
  readonly name: string;
  /** What one step is made of; what no step changes is computed once, outside. */
  readonly nodes: readonly Node[];
  readonly states: readonly ScanState[];
  readonly sequences: readonly ScanSequence[];
  /** What each step puts out: one row of a sequence [steps, ...] each. */
  readonly rows: readonly Value[];
  /** Whether steps go from the last row to the first. */
  readonly backward: boolean;
}

export interface Scanned {
  readonly states: readonly Value[];
  readonly rows: readonly Value[];
}

/** A value that stands for another, or for a row of it, within the body of a Scan. */
export function formalOf(builder: GraphBuilder, hint: string, { type, shape }: TensorType): Value {
  return builder.declare({ name: builder.fresh(hint), type, shape });
}

export function rowType({ type, shape }: Value): TensorType {
  return { type, shape: shape.slice(1) };
}

/** Emits a Scan whose body is made of nodes that were emitted, and taken, before. All values of the body stay known
 *  to the builder: names are unique, and rules may ask for types. */
export function emitScan(builder: GraphBuilder, parts: ScanParts): Scanned {
  const { name, states, sequences, rows, backward } = parts;
  const formals = [...states, ...sequences].map(({ formal }) => formal);
  const wanted = [...states.map(({ next }) => next), ...rows];
  const inside = new Set(formals.map((formal) => formal.name));
  const body: Node[] = [];
  for (const node of prune(
    parts.nodes,
    wanted.map((value) => value.name),
  )) {
    if (!usedNames(node).some((used) => inside.has(used))) {
      builder.add(node, []);
      continue;
    }
    body.push(node);
    for (const output of node.outputs) inside.add(output);
  }
  const { outputs, copies } = putOut(builder, body, wanted);
  const directions = (count: number) => ({
    type: 'ints' as const,
    value: Array<number>(count).fill(backward ? 1 : 0),
  });
  const steps = sequences[0]?.value.shape[0] ?? 0;
  const made = builder.emit(
    'Scan',
    [...states.map(({ initial }) => initial), ...sequences.map(({ value }) => value)],
    {
      body: {
        type: 'graph',
        value: graphOf(`${name} step`, [...body, ...copies], formals, outputs),
      },
      num_scan_inputs: { type: 'int', value: sequences.length },
      scan_input_directions: directions(sequences.length),
      scan_output_directions: directions(rows.length),
    },
    {
      types: [
        ...states.map(({ initial: { type, shape } }) => ({ type, shape })),
        ...rows.map(({ type, shape }) => ({ type, shape: [steps, ...shape] })),
      ],
    },
  );
  return { states: made.slice(0, states.length), rows: made.slice(states.length) };
}

/** Values as outputs of a body, and the copies that this takes. */
function putOut(
  builder: GraphBuilder,
  nodes: readonly Node[],
  wanted: readonly Value[],
  taken?: Iterable<string>,
) {
  const copyOf = (value: Value) => formalOf(builder, `${value.name}/row`, value).name;
  const { names, copies } = ownOutputs(nodes, wanted, copyOf, taken);
  return { outputs: names.map((name) => builder.value(name)), copies };
}

function infoOf({ name, type, shape }: Value): ValueInfo {
  return { name, type, shape };
}

function graphOf(
  name: string,
  nodes: readonly Node[],
  inputs: readonly Value[],
  outputs: readonly Value[],
): Graph {
  return {
    name,
    nodes,
    inputs: inputs.map(infoOf),
    outputs: outputs.map(infoOf),
    initializers: new Map(),
    valueInfo: new Map(),
  };
}

/** A Scan that `emitScan` has made. */
export interface KnownScan {
  readonly body: Graph;
  readonly stateCount: number;
  readonly backward: boolean;
}

/** Undefined for any other node, and for a Scan that came with a model. */
export function knownScan(builder: GraphBuilder, node: Node): KnownScan | undefined {
  const body = node.attributes.body;
  if (node.opType !== 'Scan' || node.domain !== '' || body?.type !== 'graph') return undefined;
  const names = [
    body.value.inputs.map(({ name }) => name),
    ...body.value.nodes.map((n) => n.outputs),
  ];
  if (!names.flat().every((name) => name === '' || builder.values.has(name))) return undefined;
  return {
    body: body.value,
    stateCount: node.inputs.length - int(node.attributes, 'num_scan_inputs', 0),
    backward: ints(node.attributes, 'scan_input_directions')?.[0] === 1,
  };
}

/** A Scan whose steps put out further values of its body.
 *  @param rows what each value (by name) of all steps is called outside */
export function extendScan(
  builder: GraphBuilder,
  node: Node,
  { body, backward }: KnownScan,
  rows: ReadonlyMap<string, Value>,
): Node {
  const { outputs, copies } = putOut(
    builder,
    body.nodes,
    [...rows.keys()].map((name) => builder.value(name)),
    body.outputs.map(({ name }) => name),
  );
  const nodes = [...body.nodes, ...copies];
  const value: Graph = { ...body, nodes, outputs: [...body.outputs, ...outputs.map(infoOf)] };
  const directions = ints(node.attributes, 'scan_output_directions') ?? [];
  return {
    ...node,
    outputs: [...node.outputs, ...[...rows.values()].map(({ name }) => name)],
    attributes: {
      ...node.attributes,
      body: { type: 'graph', value },
      scan_output_directions: {
        type: 'ints',
        value: [...directions, ...outputs.map(() => (backward ? 1 : 0))],
      },
    },
  };
}

/** How many steps a Scan has. */
export function stepsOf(builder: GraphBuilder, node: Node): number {
  return builder.value(node.inputs.at(-1) ?? '').shape[0] ?? 0;
}
