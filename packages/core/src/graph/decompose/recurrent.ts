import type { Op } from '../builder.js';
import { float, int, text, type Value } from '../value.js';
import { activationsOf, isUniform } from './activations.js';
import { type Cell, gru, linear, lstm, rnn } from './cells.js';
import { type DecompositionContext, decompositions } from './decomposition.js';
import { scanned, unrolled, type Walk } from './walk.js';

function rows(op: Op, value: Value, from: number, to: number): Value {
  return value.shape[0] === to - from ? value : op.slice(value, 0, from, to);
}

/** A recurrent op as its steps: the input's share of all steps is one product before them, and the differentiator
 *  makes one product of what all steps add to the gradient of R. */
function takeSteps(context: DecompositionContext, cell: Cell): readonly (Value | undefined)[] {
  const { op, x, has, node, attributes } = context;
  const [length = 0, batch = 0, features = 0] = x[0].shape;
  const way = text(attributes, 'direction', 'forward');
  const directions = way === 'bidirectional' ? 2 : 1;
  const hidden = x[2].shape[2] ?? 0;
  const gates = cell.gates * hidden;
  const flat = op.reshape(x[0], [length * batch, features]);
  const activations = activationsOf(op, node, cell.defaults, directions);
  const perDirection = activations.length / directions;
  const limit = float(attributes, 'clip', 0);
  const lengths = lengthsOf(context, length, batch);
  const form = length > context.longestUnrolled ? scanned : unrolled;

  const of = (i: number, d: number, shape: readonly number[]) =>
    op.reshape(rows(op, x[i] as Value, d, d + 1), shape);

  const runs = Array.from({ length: directions }, (_, d) => {
    const biases = has(3) ? of(3, d, [2 * gates]) : undefined;
    const peepholes = has(7)
      ? op.Split(of(7, d, [3 * hidden]), { num_outputs: 3, axis: 0 })
      : undefined;
    const walk: Walk = {
      builder: context.builder,
      first: Array.from({ length: cell.states }, (_, i) =>
        has(5 + i) ? of(5 + i, d, [batch, hidden]) : undefined,
      ),
      lengths,
      length,
      backward: way === 'reverse' || d === 1,
      state: { type: flat.type, shape: [batch, hidden] },
    };
    return form(walk, (project) =>
      cell.step({
        op,
        w: of(1, d, [gates, features]),
        r: of(2, d, [gates, hidden]),
        wb: biases && op.slice(biases, 0, 0, gates),
        rb: biases && op.slice(biases, 0, gates, 2 * gates),
        hidden,
        activations: activations.slice(d * perDirection, (d + 1) * perDirection),
        uniform: isUniform(node),
        clip: (value) => (limit > 0 ? op.Clip(value, -limit, limit) : value),
        project: (w, bias) => project(linear(op, flat, w, bias)),
        linearBeforeReset: int(attributes, 'linear_before_reset', 0) !== 0,
        coupled: int(attributes, 'input_forget', 0) !== 0,
        peepholes,
      }),
    );
  });

  const stacked = (values: readonly Value[], shape: readonly number[], axis: number) => {
    const parts = values.map((value) => op.reshape(value, shape));
    return parts.length === 1 ? (parts[0] as Value) : op.Concat(...parts, { axis });
  };
  const all = () =>
    stacked(
      runs.map(({ outputs }) => outputs),
      [length, 1, batch, hidden],
      1,
    );
  const last = (i: number) =>
    stacked(
      runs.map((run) => run.states[i] as Value),
      [1, batch, hidden],
      0,
    );
  return [
    context.wants(0) ? all() : undefined,
    ...Array.from({ length: cell.states }, (_, i) => (context.wants(1 + i) ? last(i) : undefined)),
  ];
}

/** How many steps each sequence of the batch has, [batch, 1]. Undefined where all have all. */
function lengthsOf(
  { op, x, has, constant }: DecompositionContext,
  length: number,
  batch: number,
): Value | undefined {
  if (!has(4) || constant(4)?.every((n) => n >= length)) return undefined;
  return op.reshape(x[4], [batch, 1]);
}

/** With the batch first an op is the same op between transpositions. */
function batchLast(context: DecompositionContext): readonly (Value | undefined)[] {
  const { op, x, has, node, emit, wants } = context;
  const swapped = (i: number) => op.transpose(x[i] as Value, [1, 0, 2]);
  const inputs = node.inputs.map((_, i) => {
    if (!has(i)) return undefined;
    return i === 0 || i === 5 || i === 6 ? swapped(i) : x[i];
  });
  const { layout, ...attributes } = node.attributes;
  const made = emit(node.opType, inputs, attributes);
  return made.map((value, i) => {
    if (!wants(i)) return undefined;
    return op.transpose(value, i === 0 ? [2, 0, 1, 3] : [1, 0, 2]);
  });
}

function recurrence(cell: Cell) {
  return (context: DecompositionContext) =>
    int(context.attributes, 'layout', 0) === 1 ? batchLast(context) : takeSteps(context, cell);
}

export const recurrent = decompositions({
  RNN: recurrence(rnn),
  GRU: recurrence(gru),
  LSTM: recurrence(lstm),
});
