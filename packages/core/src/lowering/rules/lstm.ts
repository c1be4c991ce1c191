import type { Value } from '../../graph/value.js';
import { type LoweringContext, lowerings } from '../rule.js';
import {
  asOutputs,
  before,
  biasOf,
  block,
  linear,
  outer,
  plus,
  recurrence,
  sigmoidSlope,
  tanhSlope,
} from './recurrence.js';

const activations = ['sigmoid', 'tanh', 'tanh'];

/** (X, W, R, B?, lengths?, H0?, C0?, P?) → (all h, last h, last c, all c, gates i, o, f, c). */
function forward(context: LoweringContext): readonly (Value | undefined)[] {
  const s = recurrence(context, activations);
  const { op, hidden, steps, r } = s;
  const bias = plus(op, ...biasOf(s, s.optional(3, 8 * hidden), 4));
  const inputs = s.perStep(linear(op, s.x, s.w, bias)) as readonly Value[];
  const peepholes = s.optional(7, 3 * hidden);
  const peep = (gate: number, cell: Value | undefined) =>
    peepholes && cell && op.Mul(cell, block(s, peepholes, gate));
  let [h, c] = [s.optional(5, hidden), s.optional(6, hidden)];
  const steppedH: Value[] = [];
  const steppedC: Value[] = [];
  const gates: Value[] = [];
  for (let t = 0; t < steps; t++) {
    const raw = h ? linear(op, h, r, inputs[t]) : (inputs[t] as Value);
    const [i, o, f, g] = [0, 1, 2, 3].map((gate) => block(s, raw, gate)) as [
      Value,
      Value,
      Value,
      Value,
    ];
    const input = op.Sigmoid(plus(op, i, peep(0, c)));
    const forget = op.Sigmoid(plus(op, f, peep(2, c)));
    const candidate = op.Tanh(g);
    const fresh = op.Mul(input, candidate);
    c = c ? op.Add(op.Mul(forget, c), fresh) : fresh;
    const output = op.Sigmoid(plus(op, o, peep(1, c)));
    h = op.Mul(output, op.Tanh(c));
    steppedH.push(h);
    steppedC.push(c);
    gates.push(op.Concat(input, output, forget, candidate, { axis: 1 }));
  }
  return asOutputs(context, [
    s.stack(steppedH),
    h as Value,
    c as Value,
    s.stack(steppedC),
    s.stack(gates),
  ]);
}

/** (X, W, R, lengths?, H0?, C0?, all h, all c, gates, dAll?, dLastH?, dLastC?) → (dX, dW, dR, dB, dH0, dC0, dP).
 *  Peepholes are not among the inputs: as in ORT they pass no gradient on to the cell state. */
function backward(context: LoweringContext): readonly (Value | undefined)[] {
  const s = recurrence(context, activations);
  const { op, hidden, steps, r, x } = s;
  const [allH, allC, gates] = [6, 7, 8].map((i) => s.rows(context.x[i] as Value)) as [
    Value,
    Value,
    Value,
  ];
  const [h0, c0] = [s.optional(4, hidden), s.optional(5, hidden)];
  const previous = before(s, allC, c0);
  const [i, o, f, g] = [0, 1, 2, 3].map((gate) => block(s, gates, gate)) as [
    Value,
    Value,
    Value,
    Value,
  ];
  const squashed = op.Tanh(allC);
  // What dc, dh, dc and dc are multiplied with to be the gradients of the gates before their activations.
  const slopes = s.perStep(
    op.Concat(
      op.Mul(g, sigmoidSlope(op, i)),
      op.Mul(squashed, sigmoidSlope(op, o)),
      op.Mul(previous, sigmoidSlope(op, f)),
      op.Mul(i, tanhSlope(op, g)),
      { axis: 1 },
    ),
  );
  const throughOutput = s.perStep(op.Mul(o, tanhSlope(op, squashed)));
  const forgets = s.perStep(f);
  const given = s.perStep(s.optional(9, hidden));
  let [dh, dc] = [s.optional(10, hidden), s.optional(11, hidden)];
  const stepped: Value[] = [];
  for (let t = steps - 1; t >= 0; t--) {
    const now = plus(op, dh, given[t]) ?? op.zeros({ type: x.type, shape: [s.batch, hidden] });
    const cell = plus(op, dc, op.Mul(now, throughOutput[t])) as Value;
    const gate = op.Mul(op.Concat(cell, now, cell, cell, { axis: 1 }), slopes[t]);
    dh = op.MatMul(gate, r);
    dc = op.Mul(cell, forgets[t]);
    stepped.unshift(gate);
  }
  const all = s.stack(stepped);
  const bias = op.sum(all, [0]);
  const peepholes = [
    op.Mul(block(s, all, 0), previous),
    op.Mul(block(s, all, 1), allC),
    op.Mul(block(s, all, 2), previous),
  ];
  return asOutputs(context, [
    op.MatMul(all, s.w),
    outer(op, all, x),
    outer(op, all, before(s, allH, h0)),
    op.Concat(bias, bias, { axis: 0 }),
    dh as Value,
    dc as Value,
    op.sum(op.Concat(...peepholes, { axis: 1 }), [0]),
  ]);
}

export const lstm = lowerings({ LSTMTraining: forward, LSTMGrad: backward });
