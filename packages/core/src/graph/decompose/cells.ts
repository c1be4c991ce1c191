import type { Op } from '../builder.js';
import type { Value } from '../value.js';
import type { Activation } from './activations.js';

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
  /** x·wᵀ + b for all steps at once: [batch, columns] of the step that is asked for. */
  project(w: Value, bias: Value | undefined): (t: number) => Value;
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
export function linear(op: Op, x: Value, w: Value, bias?: Value): Value {
  return op.Gemm(x, w, bias ?? null, { transB: 1 });
}

function sum(op: Op, a: Value | undefined, b: Value | undefined): Value | undefined {
  return a && b ? op.Add(a, b) : (a ?? b);
}

export const rnn: Cell = {
  gates: 1,
  states: 1,
  defaults: ['Tanh'],
  step({ op, w, r, wb, rb, activations: [f], clip, project }) {
    const inputs = project(w, sum(op, wb, rb));
    return (t, [h]) => {
      const x = inputs(t);
      return [(f as Activation)(clip(h ? linear(op, h, r, x) : x))];
    };
  },
};

export const gru: Cell = {
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
      const [xg, xh] = [gateInputs(t), inputs(t)];
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

export const lstm: Cell = {
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
      const x = inputs(t);
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
