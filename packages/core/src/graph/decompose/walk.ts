import type { GraphBuilder } from '../builder.js';
import { emitScan, formalOf, type ScanSequence } from '../scan.js';
import type { TensorType, Value } from '../value.js';
import type { Step } from './cells.js';

/** How a recurrence goes through its steps. */
export interface Walk {
  readonly builder: GraphBuilder;
  /** States before the first step; undefined: zeros. */
  readonly first: readonly (Value | undefined)[];
  /** Where a sequence has ended its states stay as they are, and the output is 0. [batch, 1]; undefined: never. */
  readonly lengths: Value | undefined;
  readonly length: number;
  readonly backward: boolean;
  /** Type and shape of every state. */
  readonly state: TensorType;
}

export interface Walked {
  readonly states: readonly Value[];
  /** Of all steps, one below the other: [steps · batch, hidden] or [steps, batch, hidden]. */
  readonly outputs: Value;
}

/** Makes the step from a way to take what belongs to one step of what was computed for all: [steps · batch, columns]. */
type MakeStep = (project: (all: Value) => (t: number) => Value) => Step;

/** Every step has nodes of its own. */
export function unrolled(walk: Walk, makeStep: MakeStep): Walked {
  const { builder, first, lengths, length, backward, state } = walk;
  const { op } = builder;
  const step = makeStep((all) => {
    const parts = length < 2 ? [all] : op.Split(all, { axis: 0, num_outputs: length });
    return (t) => parts[t] as Value;
  });
  let states = first;
  const outputs: Value[] = [];
  for (let i = 0; i < length; i++) {
    const t = backward ? length - 1 - i : i;
    const before = states;
    const next = step(t, before);
    const mask = lengths && op.Greater(lengths, t);
    outputs[t] = mask ? op.Where(mask, next[0], 0) : (next[0] as Value);
    states = mask ? next.map((value, s) => op.Where(mask, value, before[s] ?? 0)) : next;
  }
  const [only] = outputs;
  return {
    states: states.map((value) => value ?? op.zeros(state)),
    outputs:
      only === undefined
        ? op.zeros({ ...state, shape: [0, state.shape[1] ?? 0] })
        : outputs.length === 1
          ? only
          : op.Concat(...outputs, { axis: 0 }),
  };
}

/** All steps share the nodes of one, in the body of a Scan: as long as it may be, the graph stays small. */
export function scanned(walk: Walk, makeStep: MakeStep): Walked {
  const { builder, first, lengths, length, backward, state } = walk;
  const { op } = builder;
  const sequences: ScanSequence[] = [];
  const along = (value: Value, hint: string): Value => {
    const shape = value.shape.slice(1);
    const formal = formalOf(builder, hint, { type: value.type, shape });
    sequences.push({ value, formal });
    return formal;
  };
  const step = makeStep((all) => {
    const [total = 0, columns = 0] = all.shape;
    const formal = along(op.reshape(all, [length, total / length, columns]), 'input');
    return () => formal;
  });
  const running =
    lengths &&
    along(op.Greater(op.reshape(lengths, [1, ...lengths.shape]), stepNumbers(walk)), 'running');
  const before = first.map((value) => ({
    initial: value ?? op.zeros(state),
    formal: formalOf(builder, 'state', state),
  }));
  const formals = before.map(({ formal }) => formal);
  const mark = builder.nodes.length;
  const made = step(0, formals);
  const next = running ? made.map((value, s) => op.Where(running, value, formals[s])) : made;
  const output = running ? op.Where(running, made[0], 0) : (made[0] as Value);
  const { states, rows } = emitScan(builder, {
    name: builder.fresh('Scan'),
    nodes: builder.takeSince(mark),
    states: before.map((each, s) => ({ ...each, next: next[s] as Value })),
    sequences,
    rows: [output],
    backward,
  });
  return { states, outputs: rows[0] as Value };
}

/** 0, 1, ... of the type of the lengths, [steps, 1, 1]. */
function stepNumbers({ builder: { op }, length, lengths }: Walk): Value {
  const numbers = op.ints(Array.from({ length }, (_, t) => t));
  return op.reshape(op.cast(numbers, lengths?.type ?? 'int64'), [length, 1, 1]);
}
