import { GradwareError } from '../../errors.js';
import type { Graph } from '../../onnx/ir.js';
import { capturedNames } from '../../onnx/names.js';
import { mostSteps } from '../bound-loops.js';
import { emitScan, formalOf, rowType } from '../scan.js';
import { int, ints, normalizeAxis, sameShape, type Value } from '../value.js';
import { contextOf } from './context.js';
import { type DecompositionContext, decompositions } from './decomposition.js';
import { unrolledLoop } from './loop.js';
import { scannedLoop } from './loop-scan.js';
import { needsOwnSteps } from './own-steps.js';
import { sequenceForm } from './sequences.js';
import { stacked, unstacked } from './stack.js';
import { inlineGraph } from './subgraph.js';

function graphOf({ node }: DecompositionContext, name: string): Graph {
  const attribute = node.attributes[name];
  if (attribute?.type === 'graph') return attribute.value;
  throw new GradwareError('INVALID_MODEL', `${node.opType} has no ${name}`, {
    where: `node ${node.name}`,
    remedy: 'Export the model again.',
  });
}

function inline(
  { builder }: DecompositionContext,
  graph: Graph,
  bound: ReadonlyMap<string, Value>,
): readonly Value[] {
  return inlineGraph(builder, graph, bound, (node, ownName) => {
    const nests = Object.hasOwn(controlFlow, node.opType) && node.domain === '';
    const form = nests ? controlFlow[node.opType as 'If'] : sequenceForm(builder, node);
    return form && builder.scoped(ownName, () => form(contextOf(builder, node)));
  });
}

/** Itself where a condition is what it should be, zeros where not. */
function gate({ builder, op }: DecompositionContext, value: Value, condition: Value, on: boolean) {
  const passes = !value.type.startsWith('float') || builder.constant(value) !== undefined;
  if (passes || builder.sequence(value) !== undefined) return value;
  const [open, shut] = [[value], [op.zeros(value)]];
  const [gated] = on ? op.select(condition, open, shut) : op.select(condition, shut, open);
  return gated as Value;
}

/** What a branch takes from outside: itself where the branch is taken, zeros where it is not. So nothing that the
 *  other branch computes, NaN included, comes back in a gradient. */
function gated(context: DecompositionContext, graph: Graph, condition: Value, taken: boolean) {
  const { builder } = context;
  const through = (value: Value) => gate(context, value, condition, taken);
  return new Map(
    [...capturedNames(graph)].map((name) => {
      const items = builder.sequence(name);
      const gatedList = items && builder.listed(items.map(through));
      return [name, gatedList ?? through(builder.value(name))] as const;
    }),
  );
}

function conditional(context: DecompositionContext): readonly Value[] {
  const { builder, op, x, node, constant } = context;
  const known = constant(0)?.[0];
  if (known !== undefined)
    return inline(context, graphOf(context, known ? 'then_branch' : 'else_branch'), new Map());
  const condition = op.reshape(x[0], []);
  const [yes, no] = (['then_branch', 'else_branch'] as const).map((name, i) => {
    const graph = graphOf(context, name);
    return inline(context, graph, gated(context, graph, condition, i === 0));
  }) as [readonly Value[], readonly Value[]];
  const tensors = (value: Value) => builder.sequence(value) ?? [value];
  for (const [i, value] of yes.entries()) {
    const other = no[i] as Value;
    const pairs = tensors(value).map((a, j) => [a, tensors(other)[j]] as const);
    const same = ([a, b]: (typeof pairs)[number]) =>
      a.type === b?.type && sameShape(a.shape, b.shape);
    if (tensors(value).length === tensors(other).length && pairs.every(same)) continue;
    throw new GradwareError('NO_GRADIENT', `The branches of ${node.opType} differ in shape`, {
      where: `node ${node.name}, output ${node.outputs[i]}: [${value.shape}] and [${other.shape}]`,
      remedy:
        'Let both give the same shape (pad the smaller), or export the model with the condition as a constant.',
    });
  }
  const chosen = [...op.select(condition, yes.flatMap(tensors), no.flatMap(tensors))];
  return yes.map((value) => {
    const items = chosen.splice(0, tensors(value).length);
    return builder.sequence(value) ? builder.listed(items) : (items[0] as Value);
  });
}

function refuseSteps({ node }: DecompositionContext, steps: number): void {
  if (steps <= mostSteps) return;
  throw new GradwareError('NO_GRADIENT', `${node.opType} of ${steps} steps is too long to unroll`, {
    where: `node ${node.name}`,
    remedy: `Feed shorter sequences, of at most ${mostSteps} steps.`,
  });
}

/** The same for all inputs, or all outputs, of a Scan: undefined where they differ. */
function common({ attributes }: DecompositionContext, name: string, count: number) {
  const values = Array.from({ length: count }, (_, i) => ints(attributes, name)?.[i] ?? 0);
  return values.every((value) => value === values[0]) ? (values[0] ?? 0) : undefined;
}

/** As a Scan whose body the differentiator knows; undefined for a form that has to be unrolled. */
function longScan(
  context: DecompositionContext,
  body: Graph,
  scanned: number,
): readonly Value[] | undefined {
  const { builder, node, x } = context;
  const stateCount = node.inputs.length - scanned;
  const rowCount = node.outputs.length - stateCount;
  const backward = common(context, 'scan_input_directions', scanned);
  const axes = [
    common(context, 'scan_input_axes', scanned),
    common(context, 'scan_output_axes', rowCount),
  ];
  const together =
    rowCount === 0 || common(context, 'scan_output_directions', rowCount) === backward;
  if (backward === undefined || !together || axes.some((axis) => axis !== 0)) return undefined;
  if (needsOwnSteps(body)) return undefined;
  const given = x.slice(0, node.inputs.length);
  const formals = given.map((value, i) =>
    formalOf(builder, body.inputs[i]?.name ?? '', i < stateCount ? value : rowType(value)),
  );
  const mark = builder.nodes.length;
  const made = inline(
    context,
    body,
    new Map(body.inputs.map(({ name }, i) => [name, formals[i] as Value])),
  );
  const parts = given.map((value, i) => ({ value, formal: formals[i] as Value }));
  const { states, rows } = emitScan(builder, {
    name: builder.fresh('Scan'),
    nodes: builder.takeSince(mark),
    states: parts
      .slice(0, stateCount)
      .map(({ value, formal }, i) => ({ initial: value, formal, next: made[i] as Value })),
    sequences: parts.slice(stateCount),
    rows: made.slice(stateCount),
    backward: backward === 1,
  });
  return [...states, ...rows];
}

/** Unrolled, or else a Scan again: the number of steps follows from the shapes. */
function scan(context: DecompositionContext): readonly (Value | undefined)[] {
  const { x, node, attributes } = context;
  const body = graphOf(context, 'body');
  const scanned = int(attributes, 'num_scan_inputs', 0);
  const stateCount = node.inputs.length - scanned;
  const setting = (name: string, i: number) => ints(attributes, name)?.[i] ?? 0;
  const [first] = x.slice(stateCount);
  const length =
    first?.shape[normalizeAxis(setting('scan_input_axes', 0), first.shape.length)] ?? 0;
  const whole = length > context.longestUnrolled ? longScan(context, body, scanned) : undefined;
  if (whole !== undefined) return whole;
  refuseSteps(context, length);
  const sequences = x.slice(stateCount, node.inputs.length).map((value, i) => {
    const parts = unstacked(context.op, value, setting('scan_input_axes', i));
    return setting('scan_input_directions', i) === 1 ? parts.toReversed() : parts;
  });
  let states: readonly Value[] = x.slice(0, stateCount);
  const rows = node.outputs.slice(stateCount).map((): Value[] => []);
  for (let t = 0; t < length; t++) {
    const given = [...states, ...sequences.map((parts) => parts[t] as Value)];
    const bound = new Map(body.inputs.map(({ name }, i) => [name, given[i] as Value]));
    const made = inline(context, body, bound);
    states = made.slice(0, stateCount);
    rows.forEach((row, i) => {
      row.push(made[stateCount + i] as Value);
    });
  }
  return [
    ...states,
    ...rows.map((row, i) => {
      const ordered = setting('scan_output_directions', i) === 1 ? row.toReversed() : row;
      return stacked(context.op, ordered, setting('scan_output_axes', i));
    }),
  ];
}

function loop(context: DecompositionContext): readonly (Value | undefined)[] {
  const whole = graphOf(context, 'body');
  const emit = (body: Graph, bound: ReadonlyMap<string, Value>) => inline(context, body, bound);
  const scanned = Number.isFinite(context.longestUnrolled)
    ? scannedLoop(context, whole, emit)
    : undefined;
  if (scanned) return scanned;
  return unrolledLoop(context, whole, {
    emit,
    gated: (body, condition) => gated(context, body, condition, true),
    gate: (value, condition) => gate(context, value, condition, true),
    refuseSteps: (turns) => refuseSteps(context, turns),
  });
}

export const controlFlow = decompositions({ If: conditional, Loop: loop, Scan: scan });
