import type { Op } from '../builder.js';
import { float, int, text, type Value } from '../value.js';
import { type Activation, activationsOf, isUniform } from './activations.js';
import { type DecompositionContext, decompositions } from './decomposition.js';

/** What one direction of a recurrent op works with: matrices without the axis of directions. */
export interface Direction {
  readonly op: Op;
  /** [gates · hidden, input], [gates · hidden, hidden]. */
  readonly w: Value;
  readonly r: Value;
  /** [gates · hidden], for the input and for the state; undefined without biases. */
  readonly wb: Value | undefined;
  readonly rb: Value | undefined;
  readonly hidden: number;
  readonly activations: readonly Activation[];
  /** One slice of gates out of several that stand side by side along the last axis. */
  readonly uniform: boolean;
  /** Bounds what goes into an activation. */
  clip(x: Value): Value;
  /** x·wᵀ + b for all steps at once, one value [batch, columns] a step. */
  project(w: Value, bias: Value | undefined): readonly Value[];
  readonly linearBeforeReset: boolean;
  readonly coupled: boolean;
  /** Peepholes of the gates i, o and f. */
  readonly peepholes: readonly Value[] | undefined;
}

/** States before a step (undefined: zeros) to states after it; the first is what the op puts out. */
export type Step = (t: number, state: readonly (Value | undefined)[]) => readonly Value[];

export interface Cell {
  readonly gates: number;
  readonly states: number;
  readonly defaults: readonly string[];
  step(direction: Direction): Step;
}

/** x·wᵀ + bias. */
function linear(op: Op, x: Value, w: Value, bias?: Value): Value {
  return op.Gemm(x, w, bias ?? null, { transB: 1 });
}

function rows(op: Op, value: Value, from: number, to: number): Value {
  return value.shape[0] === to - from ? value : op.slice(value, 0, from, to);
}

/** A recurrent op unrolled: the input's share of all steps is one product before the loop, and the differentiator
 *  makes one product of what all steps add to the gradient of R. */
function unroll(context: DecompositionContext, cell: Cell): readonly (Value | undefined)[] {
  const { op, x, has, node, attributes } = context;
  const batchFirst = int(attributes, 'layout', 0) === 1;
  const input = batchFirst ? op.transpose(x[0], [1, 0, 2]) : x[0];
  const [length = 0, batch = 0, features = 0] = input.shape;
  const way = text(attributes, 'direction', 'forward');
  const directions = way === 'bidirectional' ? 2 : 1;
  const hidden = x[2].shape[2] ?? 0;
  const gates = cell.gates * hidden;
  const flat = op.reshape(input, [length * batch, features]);
  const activations = activationsOf(op, node, cell.defaults, directions);
  const perDirection = activations.length / directions;
  const limit = float(attributes, 'clip', 0);
  const masks = masksOf(context, length, batch);

  const of = (i: number, d: number, shape: readonly number[]) =>
    op.reshape(rows(op, x[i] as Value, d, d + 1), shape);
  const initial = (i: number, d: number): Value | undefined => {
    if (!has(i)) return undefined;
    const states = batchFirst ? op.transpose(x[i] as Value, [1, 0, 2]) : (x[i] as Value);
    return op.reshape(rows(op, states, d, d + 1), [batch, hidden]);
  };

  const runs = Array.from({ length: directions }, (_, d) => {
    const biases = has(3) ? of(3, d, [2 * gates]) : undefined;
    const peepholes = has(7)
      ? op.Split(of(7, d, [3 * hidden]), { num_outputs: 3, axis: 0 })
      : undefined;
    const step = cell.step({
      op,
      w: of(1, d, [gates, features]),
      r: of(2, d, [gates, hidden]),
      wb: biases && op.slice(biases, 0, 0, gates),
      rb: biases && op.slice(biases, 0, gates, 2 * gates),
      hidden,
      activations: activations.slice(d * perDirection, (d + 1) * perDirection),
      uniform: isUniform(node),
      clip: (value) => (limit > 0 ? op.Clip(value, -limit, limit) : value),
      project: (w, bias) => perStep(op, linear(op, flat, w, bias), length),
      linearBeforeReset: int(attributes, 'linear_before_reset', 0) !== 0,
      coupled: int(attributes, 'input_forget', 0) !== 0,
      peepholes,
    });
    const first = Array.from({ length: cell.states }, (_, i) => initial(5 + i, d));
    const backward = way === 'reverse' || d === 1;
    return walk({
      op,
      step,
      first,
      masks,
      length,
      backward,
      like: [batch, hidden],
      type: flat.type,
    });
  });

  const shown = (y: Value) => (batchFirst ? op.transpose(y, [2, 0, 1, 3]) : y);
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
  const last = (i: number) => {
    const finals = runs.map((run) => run.states[i] as Value);
    return batchFirst
      ? stacked(finals, [batch, 1, hidden], 1)
      : stacked(finals, [1, batch, hidden], 0);
  };
  return [
    context.wants(0) ? shown(all()) : undefined,
    ...Array.from({ length: cell.states }, (_, i) => (context.wants(1 + i) ? last(i) : undefined)),
  ];
}

function perStep(op: Op, all: Value, length: number): readonly Value[] {
  return length < 2 ? [all] : op.Split(all, { axis: 0, num_outputs: length });
}

/** For each step which sequences of the batch still run: bool [batch, 1]. Undefined where all always do. */
function masksOf(
  { op, x, has, constant }: DecompositionContext,
  length: number,
  batch: number,
): readonly Value[] | undefined {
  if (!has(4) || constant(4)?.every((n) => n >= length)) return undefined;
  const lengths = op.reshape(x[4], [batch, 1]);
  return Array.from({ length }, (_, t) => op.Greater(lengths, t));
}

interface Walk {
  readonly op: Op;
  readonly step: Step;
  readonly first: readonly (Value | undefined)[];
  readonly masks: readonly Value[] | undefined;
  readonly length: number;
  readonly backward: boolean;
  readonly like: readonly number[];
  readonly type: Value['type'];
}

/** Where a sequence has ended its states stay as they are, and the output is 0. */
function walk({ op, step, first, masks, length, backward, like, type }: Walk) {
  let states = first;
  const outputs: Value[] = [];
  for (let i = 0; i < length; i++) {
    const t = backward ? length - 1 - i : i;
    const next = step(t, states);
    const mask = masks?.[t];
    outputs[t] = mask ? op.Where(mask, next[0], 0) : (next[0] as Value);
    const before = states;
    states = mask ? next.map((value, s) => op.Where(mask, value, before[s] ?? 0)) : next;
  }
  const zeros = () => op.zeros({ type, shape: like });
  const [only] = outputs;
  return {
    states: states.map((state) => state ?? zeros()),
    outputs:
      only === undefined
        ? op.zeros({ type, shape: [0, like[1] ?? 0] })
        : outputs.length === 1
          ? only
          : op.Concat(...outputs, { axis: 0 }),
  };
}

function sum(op: Op, a: Value | undefined, b: Value | undefined): Value | undefined {
  return a && b ? op.Add(a, b) : (a ?? b);
}

const rnn: Cell = {
  gates: 1,
  states: 1,
  defaults: ['Tanh'],
  step({ op, w, r, wb, rb, activations: [f], clip, project }) {
    const inputs = project(w, sum(op, wb, rb));
    return (t, [h]) => {
      const x = inputs[t] as Value;
      return [(f as Activation)(clip(h ? linear(op, h, r, x) : x))];
    };
  },
};

const gru: Cell = {
  gates: 3,
  states: 1,
  defaults: ['Sigmoid', 'Tanh'],
  step({ op, w, r, wb, rb, hidden, activations: [f, g], clip, project, linearBeforeReset }) {
    const [gate, candidate] = [f, g] as [Activation, Activation];
    const parts = (value: Value) =>
      [op.slice(value, 0, 0, 2 * hidden), op.slice(value, 0, 2 * hidden, 3 * hidden)] as const;
    const [[wg, wh], [rg, rh]] = [parts(w), parts(r)];
    const [wbg, wbh] = wb ? parts(wb) : [];
    const [rbg, rbh] = rb ? parts(rb) : [];
    const gateInputs = project(wg, sum(op, wbg, rbg));
    const inputs = project(wh, linearBeforeReset ? wbh : sum(op, wbh, rbh));
    return (t, [h]) => {
      const [xg, xh] = [gateInputs[t] as Value, inputs[t] as Value];
      const [z, reset] = op.Split(gate(clip(h ? linear(op, h, rg, xg) : xg)), {
        axis: 1,
        num_outputs: 2,
      }) as readonly [Value, Value];
      const state = () => {
        if (h === undefined) return linearBeforeReset && rbh ? op.Add(xh, op.Mul(reset, rbh)) : xh;
        if (linearBeforeReset) return op.Add(xh, op.Mul(reset, linear(op, h, rh, rbh)));
        return linear(op, op.Mul(reset, h), rh, xh);
      };
      const next = candidate(clip(state()));
      // (1 - z)·next + z·h
      return [h ? op.Add(next, op.Mul(z, op.Sub(h, next))) : op.Mul(op.Sub(1, z), next)];
    };
  },
};

const lstm: Cell = {
  gates: 4,
  states: 2,
  defaults: ['Sigmoid', 'Tanh', 'Tanh'],
  step(direction) {
    const { op, w, r, wb, rb, hidden, activations, clip, project, peepholes, coupled } = direction;
    const [f, g, last] = activations as readonly [Activation, Activation, Activation];
    const inputs = project(w, sum(op, wb, rb));
    const split = (value: Value, ...sizes: readonly number[]) =>
      op.Split(value, op.ints(sizes.map((size) => size * hidden)), { axis: 1 });
    // The gates i, o and f go through their activation side by side where nothing comes between.
    const together = direction.uniform && peepholes === undefined && !coupled;
    return (t, [h, c]) => {
      const x = inputs[t] as Value;
      const raw = h ? linear(op, h, r, x) : x;
      if (together) {
        const [inner, next] = split(clip(raw), 3, 1) as readonly [Value, Value];
        const [i, o, forget] = split(f(inner), 1, 1, 1) as readonly [Value, Value, Value];
        const fresh = op.Mul(i, g(next));
        const cell = c ? op.Add(op.Mul(forget, c), fresh) : fresh;
        return [op.Mul(o, last(cell)), cell];
      }
      const [xi, xo, xf, xc] = split(raw, 1, 1, 1, 1) as readonly [Value, Value, Value, Value];
      const peep = (value: Value, gate: number, cell: Value | undefined) =>
        peepholes && cell ? op.Add(value, op.Mul(peepholes[gate], cell)) : value;
      const i = f(clip(peep(xi, 0, c)));
      const forget = coupled ? op.Sub(1, i) : f(clip(peep(xf, 2, c)));
      const fresh = op.Mul(i, g(clip(xc)));
      const cell = c ? op.Add(op.Mul(forget, c), fresh) : fresh;
      const o = f(clip(peep(xo, 1, cell)));
      return [op.Mul(o, last(cell)), cell];
    };
  },
};

export const recurrent = decompositions({
  RNN: (context) => unroll(context, rnn),
  GRU: (context) => unroll(context, gru),
  LSTM: (context) => unroll(context, lstm),
});
