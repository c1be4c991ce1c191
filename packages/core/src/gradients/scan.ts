import type { GraphBuilder } from '../graph/builder.js';
import { renameNode } from '../graph/inline.js';
import { prune, sortNodes } from '../graph/order.js';
import {
  emitScan,
  extendScan,
  formalOf,
  type KnownScan,
  knownScan,
  rowType,
  type ScanSequence,
  type ScanState,
  stepsOf,
} from '../graph/scan.js';
import { elementCount, type Value } from '../graph/value.js';
import type { Node } from '../onnx/ir.js';
import { capturedNames, usedNames } from '../onnx/names.js';
import { type Product, productOf } from './merge-products.js';
import { activeValues, isFloat, propagate, type StraightThrough } from './propagate.js';

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

/** The values of the body of a Scan, as sequences of all steps. */
interface Rows {
  /** Undefined for what the body takes from outside. */
  of(name: string): Value | undefined;
  /** Those that the Scan does not put out yet. */
  readonly added: ReadonlyMap<string, Value>;
}

function createRows(builder: GraphBuilder, node: Node, { body, stateCount }: KnownScan): Rows {
  const known = new Map<string, Value>();
  body.inputs.slice(stateCount).forEach(({ name }, i) => {
    known.set(name, builder.value(node.inputs[stateCount + i] ?? ''));
  });
  body.outputs.slice(stateCount).forEach(({ name }, i) => {
    const row = builder.value(node.outputs[stateCount + i] ?? '');
    const maker = builder.producer(name);
    known.set(name, row);
    if (maker?.opType === 'Identity') known.set(maker.inputs[0] ?? '', row);
  });
  const inside = new Set([
    ...body.inputs.map(({ name }) => name),
    ...body.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const added = new Map<string, Value>();
  return {
    added,
    of(name) {
      const row = known.get(name);
      if (row !== undefined || !inside.has(name)) return row;
      const { type, shape } = builder.value(name);
      const made = formalOf(builder, `${name}/rows`, {
        type,
        shape: [stepsOf(builder, node), ...shape],
      });
      known.set(name, made);
      added.set(name, made);
      return made;
    },
  };
}

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
  const { builder, node, scan, dys, active, straightThrough, rows } = request;
  const { body, stateCount } = scan;
  const { op } = builder;
  const mark = builder.nodes.length;
  const typed = (name: string) => builder.value(name);

  // What comes from later steps, and from the outputs of this one.
  const contributions = new Map<string, readonly Value[]>();
  const arrive = (name: string, formal: Value) =>
    contributions.set(name, [...(contributions.get(name) ?? []), formal]);
  const sequences: ScanSequence[] = [];
  const carried = body.inputs.slice(0, stateCount).flatMap(({ name }, i) => {
    if (!isFloat(typed(name))) return [];
    const formal = formalOf(builder, `${name}_grad`, typed(name));
    arrive(body.outputs[i]?.name ?? '', formal);
    return [{ name, i, formal }];
  });
  body.outputs.slice(stateCount).forEach(({ name }, k) => {
    const dy = dys[stateCount + k];
    if (dy === undefined) return;
    const formal = formalOf(builder, `${name}_grad`, rowType(dy));
    sequences.push({ value: dy, formal });
    arrive(name, formal);
  });

  const sorted = sortNodes(body.nodes);
  const elements = body.inputs.slice(stateCount).flatMap(({ name }, i) => {
    const input = node.inputs[stateCount + i] ?? '';
    return active.has(input) ? [{ name, input }] : [];
  });
  const captured = [...capturedNames(body)].filter((name) => active.has(name));
  const starts = [...carried, ...elements].map(({ name }) => name);
  const inner = propagate({
    builder,
    sorted,
    active: activeValues(builder, sorted, [...starts, ...captured], straightThrough),
    straightThrough,
    contributions,
  });

  const states: (Omit<ScanState, 'initial'> & { readonly initial: Value | undefined })[] =
    carried.map(({ name, i, formal }) => ({
      initial: dys[i],
      formal,
      next: inner.gradientOf(name) ?? op.zeros(formal),
    }));
  const moving = elements.flatMap(({ name, input }) => {
    const gradient = inner.gradientOf(name);
    return gradient === undefined ? [] : [{ input, gradient }];
  });
  // A product of what one step has is summed over all steps by one product of what all steps have.
  const shared = captured.map((name) => {
    const parts = inner.contributions.get(name) ?? [];
    const products = parts.map((part) => productOf(builder, part));
    const rest = parts.filter((_, k) => products[k] === undefined);
    return { name, products: products.filter((product) => product !== undefined), rest };
  });
  const totals = shared.flatMap(({ name, rest }) => {
    if (rest.length === 0) return [];
    const formal = formalOf(builder, `${name}_total`, typed(name));
    states.push({ initial: undefined, formal, next: op.Sum(formal, ...rest) });
    return [{ name, at: states.length - 1 }];
  });

  const operands = shared.flatMap(({ products }) => products.flatMap(({ a, b }) => [a, b]));
  const outside = (value: Value) => rows.of(value.name);
  const emitted = operands.filter((value) => outside(value) === undefined);
  const results = [...moving.map(({ gradient }) => gradient), ...emitted];
  const wanted = [...states.map(({ next }) => next), ...results].map(({ name }) => name);
  const { nodes, taken } = takeRows(builder, prune(builder.takeSince(mark), wanted), rows);
  const made = emitScan(builder, {
    name: builder.fresh('Scan'),
    nodes,
    states: states.map((state) => ({
      ...state,
      initial: state.initial ?? op.zeros(state.formal),
    })),
    sequences: [...sequences, ...taken],
    rows: results,
    backward: !scan.backward,
  });

  const gradients: (readonly [string, Value])[] = [
    ...carried.map(({ i }, k) => [node.inputs[i] ?? '', made.states[k] as Value] as const),
    ...moving.map(({ input }, k) => [input, made.rows[k] as Value] as const),
    ...totals.map(({ name, at }) => [name, made.states[at] as Value] as const),
  ];
  const rowOf = (value: Value) =>
    outside(value) ?? (made.rows[moving.length + emitted.indexOf(value)] as Value);
  for (const { name, products } of shared)
    for (const product of products) gradients.push([name, productOfAll(builder, product, rowOf)]);
  return addUp(builder, gradients);
}

/** Nodes of the backward step with what they take from the forward one under names of their own. */
function takeRows(builder: GraphBuilder, nodes: readonly Node[], rows: Rows) {
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  const names = new Map<string, string>();
  const taken: ScanSequence[] = [];
  for (const name of new Set(nodes.flatMap(usedNames))) {
    const value = made.has(name) ? undefined : rows.of(name);
    if (value === undefined) continue;
    const formal = formalOf(builder, `${name}/saved`, rowType(value));
    names.set(name, formal.name);
    taken.push({ value, formal });
  }
  const renamed = nodes.map((node) => renameNode(node, (name) => names.get(name) ?? name));
  return { nodes: renamed, taken };
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
