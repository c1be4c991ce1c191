import { int, type Value } from '../../graph/value.js';
import { type LoweringContext, lowerings } from '../rule.js';
import {
  asOutputs,
  before,
  biasOf,
  block,
  linear,
  outer,
  plus,
  type Recurrence,
  recurrence,
  sigmoidSlope,
  tanhSlope,
} from './recurrence.js';

const activations = ['sigmoid', 'tanh'];

/** (X, W, R, B?, lengths?, H0?) → (all h, last h, gates z, r, h). */
function forward(context: LoweringContext): readonly (Value | undefined)[] {
  const s = recurrence(context, activations);
  const { op, hidden, steps } = s;
  const [wb, rb] = biasOf(s, s.optional(3, 6 * hidden), 3);
  const linearBeforeReset = isLinearBeforeReset(context);
  const [rGates, rCandidate] = gruWeights(s);
  const ofGates = (bias: Value | undefined) => bias && op.slice(bias, 0, 0, 2 * hidden);
  const ofCandidate = (bias: Value | undefined) =>
    bias && op.slice(bias, 0, 2 * hidden, 3 * hidden);
  const inputs = s.perStep(linear(op, s.x, s.w, wb)) as readonly Value[];
  let h = s.optional(5, hidden);
  const steppedH: Value[] = [];
  const gates: Value[] = [];
  for (let t = 0; t < steps; t++) {
    const input = inputs[t] as Value;
    const fromState = (state: Value | undefined, r: Value, bias: Value | undefined) =>
      state ? linear(op, state, r, bias) : bias;
    const raw = plus(op, block(s, input, 0, 2), fromState(h, rGates, ofGates(rb))) as Value;
    const zr = op.Sigmoid(raw);
    const [z, reset] = [block(s, zr, 0), block(s, zr, 1)];
    const inner = fromState(
      linearBeforeReset ? h : h && op.Mul(reset, h),
      rCandidate,
      ofCandidate(rb),
    );
    const shown = linearBeforeReset && inner ? op.Mul(reset, inner) : inner;
    const candidate = op.Tanh(plus(op, block(s, input, 2), shown));
    h = h ? op.Add(candidate, op.Mul(z, op.Sub(h, candidate))) : op.Mul(op.Sub(1, z), candidate);
    steppedH.push(h);
    gates.push(op.Concat(zr, candidate, { axis: 1 }));
  }
  return asOutputs(context, [s.stack(steppedH), h as Value, s.stack(gates)]);
}

function isLinearBeforeReset({ attributes }: LoweringContext): boolean {
  return int(attributes, 'linear_before_reset', 0) === 1;
}

/** R of the gates z and r, and of the candidate. */
function gruWeights({ op, r, hidden }: Recurrence): readonly [Value, Value] {
  return [op.slice(r, 0, 0, 2 * hidden), op.slice(r, 0, 2 * hidden, 3 * hidden)];
}

/** (X, W, R, B?, lengths?, H0?, all h, gates, dAll?, dLast?) → (dX, dW, dR, dB, dH0). */
function backward(context: LoweringContext): readonly (Value | undefined)[] {
  const s = recurrence(context, activations);
  const { op, hidden, steps, x } = s;
  const linearBeforeReset = isLinearBeforeReset(context);
  const [rGates, rCandidate] = gruWeights(s);
  const [allH, gates] = [6, 7].map((i) => s.rows(context.x[i] as Value)) as [Value, Value];
  const previous = before(s, allH, s.optional(5, hidden));
  const [z, reset, candidate] = [0, 1, 2].map((gate) => block(s, gates, gate)) as [
    Value,
    Value,
    Value,
  ];
  const [, rb] = biasOf(s, s.optional(3, 6 * hidden), 3);
  const candidateBias = rb && op.slice(rb, 0, 2 * hidden, 3 * hidden);
  // What the reset gate is multiplied with: the state's share of the candidate, or the state itself.
  const behindReset = linearBeforeReset
    ? linear(op, previous, rCandidate, candidateBias)
    : previous;
  const toCandidate = s.perStep(op.Mul(op.Sub(1, z), tanhSlope(op, candidate)));
  const toUpdate = s.perStep(op.Mul(op.Sub(previous, candidate), sigmoidSlope(op, z)));
  const toReset = s.perStep(op.Mul(behindReset, sigmoidSlope(op, reset)));
  const [updates, resets] = [s.perStep(z), s.perStep(reset)];
  const given = s.perStep(s.optional(8, hidden));
  let dh = s.optional(9, hidden);
  const stepped: Value[] = [];
  const inner: Value[] = [];
  for (let t = steps - 1; t >= 0; t--) {
    const now = plus(op, dh, given[t]) ?? op.zeros({ type: x.type, shape: [s.batch, hidden] });
    const dCandidate = op.Mul(now, toCandidate[t]);
    // With respect to what the candidate takes of the state; where it is reset before the product, a product on.
    const through = linearBeforeReset ? op.Mul(dCandidate, resets[t]) : dCandidate;
    const back = op.MatMul(through, rCandidate);
    const dReset = op.Mul(linearBeforeReset ? dCandidate : back, toReset[t]);
    const dGates = op.Concat(op.Mul(now, toUpdate[t]), dReset, { axis: 1 });
    const toState = linearBeforeReset ? back : op.Mul(back, resets[t]);
    dh = op.Add(op.Add(op.Mul(now, updates[t]), toState), op.MatMul(dGates, rGates));
    stepped.unshift(op.Concat(dGates, dCandidate, { axis: 1 }));
    inner.unshift(through);
  }
  const all = s.stack(stepped);
  const throughs = s.stack(inner);
  const state = linearBeforeReset ? previous : op.Mul(reset, previous);
  const gateRows = block(s, all, 0, 2);
  const bias = op.sum(all, [0]);
  const recurrentBias = op.Concat(op.sum(gateRows, [0]), op.sum(throughs, [0]), { axis: 0 });
  return asOutputs(context, [
    op.MatMul(all, s.w),
    outer(op, all, x),
    op.Concat(outer(op, gateRows, previous), outer(op, throughs, state), { axis: 0 }),
    op.Concat(bias, recurrentBias, { axis: 0 }),
    dh as Value,
  ]);
}

export const gru = lowerings({ GRUTraining: forward, GRUGrad: backward });
