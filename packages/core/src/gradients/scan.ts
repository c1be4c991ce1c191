import type { GraphBuilder } from '../graph/builder.js';
import { prune, sortNodes } from '../graph/order.js';
import {
  emitScan,
  extendScan,
  formalOf,
  type KnownScan,
  knownScan,
  rowType,
  type Scanned,
  type ScanParts,
  type ScanSequence,
  type ScanState,
} from '../graph/scan.js';
import { elementCount, type Value } from '../graph/value.js';
import type { Node } from '../onnx/ir.js';
import { capturedNames } from '../onnx/names.js';
import { type Product, productOf } from './merge-products.js';
import { activeValues, isFloat, propagate, type StraightThrough } from './propagate.js';
import { createRows, type Rows, takeRows } from './scan-rows.js';

/** Gradients of Scans, and what they need of the forward Scans. */
export interface ScanGradients {
  gradient(
    node: Node,
    dys: readonly (Value | undefined)[],
    active: ReadonlySet<string>,
  ): ReadonlyMap<string, Value>;
  /** Lets the forward Scans put out what the backward ones take, in place. */
  extend(): void;
}

/** The gradient of a Scan is a Scan that goes the other way, over what the steps of the first have made. */
export function createScanGradients(
  builder: GraphBuilder,
  straightThrough: StraightThrough,
): ScanGradients {
  const extended = new Map<Node, Node>();
  return {
    gradient(node, dys, active) {
      const scan = knownScan(builder, node) as KnownScan;
      const rows = createRows(builder, node, scan);
      const gradients = scanGradient({ builder, node, scan, dys, active, straightThrough, rows });
      extended.set(node, extendScan(builder, node, scan, rows.added));
      return gradients;
    },
    extend() {
      if (extended.size === 0) return;
      for (const node of builder.takeSince(0)) builder.add(extended.get(node) ?? node, []);
    },
  };
}

/** The gradient of one Scan. */
interface Request {
  readonly builder: GraphBuilder;
  readonly node: Node;
  readonly scan: KnownScan;
  readonly dys: readonly (Value | undefined)[];
  readonly active: ReadonlySet<string>;
  readonly straightThrough: StraightThrough;
  readonly rows: Rows;
}

function scanGradient(request: Request): ReadonlyMap<string, Value> {
  const { builder, rows } = request;
  const mark = builder.nodes.length;
  const incoming = incomingGradients(request);
  const { carried, moving, totals, products } = outgoingGradients(request, incoming);

  // What products are made of is there as rows of the forward Scan, or put out by the backward one.
  const outside = ({ name }: Value) => rows.of(name);
  const operands = products.flatMap(({ product: { a, b } }) => [a, b]);
  const emitted = operands.filter((value) => outside(value) === undefined);
  const states = [...carried, ...totals];
  const made = emitBackward(request, mark, {
    states: states.map(({ state }) => state),
    sequences: incoming.sequences,
    rows: [...moving.map(({ gradient }) => gradient), ...emitted],
  });
  const rowOf = (value: Value) =>
    outside(value) ?? (made.rows[moving.length + emitted.indexOf(value)] as Value);
  const stateOf = (entry: SummedGradient) => made.states[states.indexOf(entry)] as Value;

  return addUp(builder, [
    ...carried.map((entry) => [entry.input, stateOf(entry)] as const),
    ...moving.map(({ input }, k) => [input, made.rows[k] as Value] as const),
    ...totals.map((entry) => [entry.input, stateOf(entry)] as const),
    ...products.map(
      ({ input, product }) => [input, productOfAll(builder, product, rowOf)] as const,
    ),
  ]);
}

/** The gradients that a step backward is given. */
interface Incoming {
  /** Of the states that it left behind, from the step after it: what they are called in the body, and their places. */
  readonly carried: readonly {
    readonly name: string;
    readonly i: number;
    readonly formal: Value;
  }[];
  /** Of the rows that it put out. */
  readonly sequences: readonly ScanSequence[];
  /** Both, by the values of the body whose gradients they are. */
  readonly contributions: ReadonlyMap<string, readonly Value[]>;
}

function incomingGradients({ builder, scan: { body, stateCount }, dys }: Request): Incoming {
  const contributions = new Map<string, readonly Value[]>();
  const arrive = (name: string, formal: Value) =>
    contributions.set(name, [...(contributions.get(name) ?? []), formal]);
  const carried = body.inputs.slice(0, stateCount).flatMap(({ name }, i) => {
    const state = builder.value(name);
    if (!isFloat(state)) return [];
    const formal = formalOf(builder, `${name}_grad`, state);
    arrive(body.outputs[i]?.name ?? '', formal);
    return [{ name, i, formal }];
  });
  const sequences = body.outputs.slice(stateCount).flatMap(({ name }, k): ScanSequence[] => {
    const value = dys[stateCount + k];
    if (value === undefined) return [];
    const formal = formalOf(builder, `${name}_grad`, rowType(value));
    arrive(name, formal);
    return [{ value, formal }];
  });
  return { carried, sequences, contributions };
}

/** A state of the backward Scan; one without a beginning begins with zeros. */
type BackwardState = Omit<ScanState, 'initial'> & { readonly initial: Value | undefined };

/** A gradient that goes from step to step. */
interface SummedGradient {
  /** The value outside whose gradient it is, after the last step backward. */
  readonly input: string;
  readonly state: BackwardState;
}

/** The gradients that a step backward makes, by the values outside that they belong to. */
interface Outgoing {
  /** Of the states that it began with. */
  readonly carried: readonly SummedGradient[];
  /** Of its rows of the sequences. */
  readonly moving: readonly { readonly input: string; readonly gradient: Value }[];
  /** Of what all steps share, added up step by step. */
  readonly totals: readonly SummedGradient[];
  /** Of the same: a product of what one step has is summed over all steps by one product of what all steps have. */
  readonly products: readonly { readonly input: string; readonly product: Product }[];
}

function outgoingGradients(request: Request, incoming: Incoming): Outgoing {
  const { builder, node, scan, dys, active, straightThrough } = request;
  const { body, stateCount } = scan;
  const { op } = builder;
  const sorted = sortNodes(body.nodes);
  const elements = body.inputs.slice(stateCount).flatMap(({ name }, i) => {
    const input = node.inputs[stateCount + i] ?? '';
    return active.has(input) ? [{ name, input }] : [];
  });
  const captured = [...capturedNames(body)].filter((name) => active.has(name));
  const starts = [...incoming.carried, ...elements].map(({ name }) => name);
  const inner = propagate({
    builder,
    sorted,
    active: activeValues(builder, sorted, [...starts, ...captured], straightThrough),
    straightThrough,
    contributions: incoming.contributions,
  });

  const carried = incoming.carried.map(({ name, i, formal }) => ({
    input: node.inputs[i] ?? '',
    state: { initial: dys[i], formal, next: inner.gradientOf(name) ?? op.zeros(formal) },
  }));
  const moving = elements.flatMap(({ name, input }) => {
    const gradient = inner.gradientOf(name);
    return gradient === undefined ? [] : [{ input, gradient }];
  });
  const parts = captured.flatMap((input) =>
    (inner.contributions.get(input) ?? []).map((part) => ({
      input,
      part,
      product: productOf(builder, part),
    })),
  );
  const totals = captured.flatMap((input): SummedGradient[] => {
    const rest = parts.filter((one) => one.input === input && one.product === undefined);
    if (rest.length === 0) return [];
    const formal = formalOf(builder, `${input}_total`, builder.value(input));
    const next = op.Sum(formal, ...rest.map(({ part }) => part));
    return [{ input, state: { initial: undefined, formal, next } }];
  });
  const products = parts.flatMap(({ input, product }) =>
    product === undefined ? [] : [{ input, product }],
  );
  return { carried, moving, totals, products };
}

interface BackwardParts extends Pick<ScanParts, 'sequences' | 'rows'> {
  readonly states: readonly BackwardState[];
}

/** Emits the Scan that goes the other way, of the nodes emitted since `mark`. */
function emitBackward(
  { builder, node, scan, rows: forward }: Request,
  mark: number,
  { states, sequences, rows }: BackwardParts,
): Scanned {
  const wanted = [...states.map(({ next }) => next), ...rows].map(({ name }) => name);
  const { nodes, taken } = takeRows(builder, prune(builder.takeSince(mark), wanted), forward);
  const known = [...sequences, ...taken];
  return emitScan(builder, {
    name: builder.fresh('Scan'),
    nodes,
    states: states.map((state) => ({
      ...state,
      initial: state.initial ?? builder.op.zeros(state.formal),
    })),
    // Where no step needs anything of the forward one, a sequence says how many there are.
    sequences: known.length > 0 ? known : [rowOfLast(builder, node)],
    rows,
    backward: !scan.backward,
  });
}

function rowOfLast(builder: GraphBuilder, { inputs }: Node): ScanSequence {
  const value = builder.value(inputs.at(-1) ?? '');
  return { value, formal: formalOf(builder, 'step', rowType(value)) };
}

/** Σ AₜᵀBₜ as one product. */
function productOfAll(
  { op }: GraphBuilder,
  { a, b, alpha }: Product,
  rowOf: (value: Value) => Value,
): Value {
  const flat = (value: Value) => {
    const columns = value.shape.at(-1) ?? 1;
    return op.reshape(value, [elementCount(value.shape) / columns, columns]);
  };
  const scaled = alpha === 1 ? {} : { alpha };
  return op.Gemm(flat(rowOf(a)), flat(rowOf(b)), { transA: 1, ...scaled });
}

/** One gradient for each name. */
function addUp(
  { op }: GraphBuilder,
  gradients: readonly (readonly [string, Value])[],
): ReadonlyMap<string, Value> {
  const sums = new Map<string, Value>();
  for (const [name, gradient] of gradients) {
    const known = sums.get(name);
    sums.set(name, known === undefined ? gradient : op.Add(known, gradient));
  }
  return sums;
}
