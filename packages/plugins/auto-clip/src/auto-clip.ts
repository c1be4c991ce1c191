import {
  constant,
  definePlugin,
  integer,
  type Kind,
  type Op,
  type State,
  setting,
  type Value,
} from '@gradware/core';

/** Added to the norm, so that a gradient of zero divides nothing by zero; PyTorch's value. */
const epsilon = 1e-6;
const largestFloat = 3.4028234e38;

const percent: Kind<number> = {
  describe: 'a number from 0 to 100',
  accepts: (value): value is number => typeof value === 'number' && value >= 0 && value <= 100,
};

/** Clips the global norm of the gradients to a percentile of the norms seen so far, this one among them.
 *  c = percentile of the last `history` norms, with linear interpolation;  g ← g · min(1, c / (‖g‖₂ + 1e-6))
 *  (Seetharaman, Wichern, Pardo and Le Roux 2020)
 *  A norm that is not finite does not become part of the history. */
export const autoClip = definePlugin({
  name: 'auto-clip',
  description: 'Clips the global norm of the gradients to a percentile of past norms.',
  role: 'clip',
  options: {
    percentile: setting(percent, 10, 'which percentile of the past norms is the largest norm'),
    history: constant(integer(1, 100_000), 1000, 'how many norms are remembered'),
  },
  transform(gradients, { op, metric, state }, { percentile, history }) {
    const norm = op.globalNorm(gradients);
    const slots = numbersTo(op, history);
    const { norms, count } = remember(op, state, slots, norm);
    const largest = percentileOf(op, slots, norms, count, percentile);
    const scale = op.Div(largest, op.Add(norm, epsilon));
    // Not `Min`: on some providers Min(NaN, 1) is 1, which would hide a gradient that is not a number.
    const limited = op.Where(op.GreaterOrEqual(scale, 1), 1, scale);
    metric('norm', norm);
    metric('clipped-norm', op.Mul(norm, limited));
    metric('max-norm', largest);
    return gradients.map((gradient) => op.Mul(gradient, op.cast(limited, gradient.type)));
  },
});

function numbersTo(op: Op, count: number): Value {
  const data = Float32Array.from({ length: count }, (_, i) => i);
  return op.constant({ type: 'float32', dims: [count], data });
}

type StateOf = (key: string, options?: { readonly shape: readonly number[] }) => State;

/** Puts a norm into the ring of past norms; counts are float32, which is exact here and works on every provider. */
function remember(op: Op, state: StateOf, slots: Value, norm: Value) {
  const history = slots.shape[0] as number;
  const past = state('norms', { shape: slots.shape });
  const [count, slot] = [state('count'), state('slot')];
  const isSound = op.isFinite(norm);
  const one = op.cast(isSound, 'float32');
  const here = op.And(op.Equal(slots, slot.value), isSound);
  const next = op.Add(slot.value, one);
  slot.set(op.Where(op.GreaterOrEqual(next, history), 0, next));
  return {
    norms: past.set(op.Where(here, norm, past.value)),
    count: count.set(op.Min(op.Add(count.value, one), history)),
  };
}

/** Sorts the norms there are (the rest of the ring counts as very large), and takes the two around the percentile,
 *  each by how near it is. */
function percentileOf(op: Op, slots: Value, norms: Value, count: Value, percentile: Value): Value {
  const known = op.Where(op.Less(slots, count), norms, largestFloat);
  const [sorted] = op.TopK(known, op.ints(slots.shape), { largest: 0 });
  const place = op.Mul(op.Div(percentile, 100), op.Sub(count, 1));
  const nearness = op.Relu(op.Sub(1, op.Abs(op.Sub(slots, place))));
  return op.sum(op.Mul(sorted, nearness));
}
