import { GradwareError } from '../../errors.js';
import type { Graph } from '../../onnx/ir.js';
import { capturedNames, subgraphs } from '../../onnx/names.js';
import { emitScan, formalOf, rowType } from '../scan.js';
import { int, ints, normalizeAxis, sameShape, type Value } from '../value.js';
import { contextOf } from './context.js';
import { type DecompositionContext, decompositions } from './decomposition.js';
import { inlineGraph } from './subgraph.js';

function graphOf({ node }: DecompositionContext, name: string): Graph {
  const attribute = node.attributes[name];
  if (attribute?.type === 'graph') return attribute.value;
  throw new GradwareError('INVALID_MODEL', `${node.opType} has no ${name}`, {
    where: `node ${node.name}`,
  });
}

function inline(
  { builder }: DecompositionContext,
  graph: Graph,
  bound: ReadonlyMap<string, Value>,
): readonly Value[] {
  return inlineGraph(builder, graph, bound, (node) =>
    Object.hasOwn(controlFlow, node.opType) && node.domain === ''
      ? builder.scoped(node.name, () => controlFlow[node.opType as 'If'](contextOf(builder, node)))
      : undefined,
  );
}

/** What a branch takes from outside: itself where the branch is taken, zeros where it is not. So nothing that the
 *  other branch computes, NaN included, comes back in a gradient. */
function gated(context: DecompositionContext, graph: Graph, condition: Value, taken: boolean) {
  const { builder, op } = context;
  const gates = new Map<string, Value>();
  for (const name of capturedNames(graph)) {
    const value = builder.value(name);
    if (!value.type.startsWith('float') || builder.constant(value) !== undefined) continue;
    const [open, shut] = [[value], [op.zeros(value)]];
    const [gate] = taken ? op.select(condition, open, shut) : op.select(condition, shut, open);
    gates.set(name, gate as Value);
  }
  return gates;
}

function conditional(context: DecompositionContext): readonly Value[] {
  const { op, x, node, constant } = context;
  const known = constant(0)?.[0];
  if (known !== undefined)
    return inline(context, graphOf(context, known ? 'then_branch' : 'else_branch'), new Map());
  const condition = op.reshape(x[0], []);
  const [yes, no] = (['then_branch', 'else_branch'] as const).map((name, i) => {
    const graph = graphOf(context, name);
    return inline(context, graph, gated(context, graph, condition, i === 0));
  }) as [readonly Value[], readonly Value[]];
  for (const [i, value] of yes.entries()) {
    const other = no[i];
    if (other?.type === value.type && sameShape(value.shape, other.shape)) continue;
    throw new GradwareError('NO_GRADIENT', `The branches of ${node.opType} differ in shape`, {
      where: `node ${node.name}, output ${node.outputs[i]}: [${value.shape}] and [${other?.shape}]`,
    });
  }
  return op.select(condition, yes, no);
}

/** The more steps, the larger the graph: beyond this a session takes minutes to open. */
const mostSteps = 4096;

function refuseSteps({ node }: DecompositionContext, steps: number): void {
  if (steps <= mostSteps) return;
  throw new GradwareError('NO_GRADIENT', `${node.opType} of ${steps} steps is too long to unroll`, {
    where: `node ${node.name}`,
    remedy: `Feed shorter sequences, of at most ${mostSteps} steps.`,
  });
}

function stacked({ op }: DecompositionContext, rows: readonly Value[], at = 0): Value {
  const rank = (rows[0]?.shape.length ?? 0) + 1;
  const axis = normalizeAxis(at, rank);
  const wide = rows.map((row) =>
    op.reshape(row, [...row.shape.slice(0, axis), 1, ...row.shape.slice(axis)]),
  );
  return wide.length === 1 ? (wide[0] as Value) : op.Concat(...wide, { axis });
}

function unstacked({ op }: DecompositionContext, value: Value, at = 0): readonly Value[] {
  const axis = normalizeAxis(at, value.shape.length);
  const length = value.shape[axis] ?? 0;
  const parts = length < 2 ? [value] : op.Split(value, { axis, num_outputs: length });
  const shape = value.shape.filter((_, a) => a !== axis);
  return parts.map((part) => op.reshape(part, shape));
}

/** The same for all inputs, or all outputs, of a Scan: undefined where they differ. */
function common({ attributes }: DecompositionContext, name: string, count: number) {
  const values = Array.from({ length: count }, (_, i) => ints(attributes, name)?.[i] ?? 0);
  return values.every((value) => value === values[0]) ? (values[0] ?? 0) : undefined;
}

/** A body whose steps differ in more than what they are given: by random numbers, or by a branch. */
function needsOwnSteps(body: Graph): boolean {
  return body.nodes.some(
    (node) => subgraphs(node).length > 0 || /^(Dropout|Random|Bernoulli)/.test(node.opType),
  );
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
    const parts = unstacked(context, value, setting('scan_input_axes', i));
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
      return stacked(context, ordered, setting('scan_output_axes', i));
    }),
  ];
}

/** Whether the body of a Loop never asks to stop. */
function neverStops({ builder }: DecompositionContext, body: Graph): boolean {
  const [condition] = body.outputs;
  const given = body.inputs[1]?.name;
  let name = condition?.name ?? '';
  for (;;) {
    if (name === given) return true;
    const node = body.nodes.find(({ outputs }) => outputs.includes(name));
    const own = node !== undefined || body.inputs.some((input) => input.name === name);
    const constant = body.initializers.get(name) ?? (own ? undefined : builder.constant(name));
    if (constant !== undefined) return Number(constant.data[0]) !== 0;
    if (node?.opType === 'Constant' && node.attributes.value?.type === 'tensor')
      return Number(node.attributes.value.value.data[0]) !== 0;
    if (node?.opType !== 'Identity' && node?.opType !== 'Cast') return false;
    name = node.inputs[0] ?? '';
  }
}

/** Unrolled where the number of turns is a constant and nothing ends it early. */
function loop(context: DecompositionContext): readonly (Value | undefined)[] {
  const { x, node, op, has, constant } = context;
  const body = graphOf(context, 'body');
  const turns = constant(0)?.[0];
  const starts = !has(1) || constant(1)?.[0] === 1;
  if (turns === undefined || !starts || !neverStops(context, body))
    throw new GradwareError(
      'NO_GRADIENT',
      'A Loop has a gradient only if its trip count is known',
      {
        where: `node ${node.name}`,
        remedy: 'Export the model with a constant number of turns and no early end.',
      },
    );
  refuseSteps(context, turns);
  const carried = node.inputs.length - 2;
  let states: readonly Value[] = x.slice(2, node.inputs.length);
  const rows = node.outputs.slice(carried).map((): Value[] => []);
  for (let t = 0; t < turns; t++) {
    const given = [op.scalar(t, 'int64'), op.scalar(1, 'bool'), ...states];
    const bound = new Map(body.inputs.map(({ name }, i) => [name, given[i] as Value]));
    const made = inline(context, body, bound).slice(1);
    states = made.slice(0, carried);
    rows.forEach((row, i) => {
      row.push(made[carried + i] as Value);
    });
  }
  return [...states, ...rows.map((row) => (row.length === 0 ? undefined : stacked(context, row)))];
}

export const controlFlow = decompositions({ If: conditional, Loop: loop, Scan: scan });
