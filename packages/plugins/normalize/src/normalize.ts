import {
  constant,
  definePlugin,
  elementCount,
  finite,
  GradwareError,
  type Kind,
  type Op,
  oneOf,
  setting,
  type Value,
} from '@gradware/core';

const finitePositive: Kind<number> = {
  describe: 'a finite number > 0',
  accepts: (value): value is number => finite.accepts(value) && value > 0,
};

/** Added to what divides, so that a gradient of zero stays zero; Optax's value. */
const epsilon = 1e-6;
/** Below it float32 loses digits. */
const smallestNormal = 2 ** -126;

/** Brings gradients to a norm, a largest magnitude, or a range, each alone or all together.
 *
 *      norm:       g ← g · norm / (‖g‖₂ + 1e-6)                       (as optax.normalize_by_update_norm)
 *      max:        g ← g · max / (max |g| + 1e-6)
 *      low, high:  g ← low + (g - min g) / (max g - min g) · (high - low)
 *
 *  A gradient whose elements are all the same has no range: it is only limited to it. */
export const normalize = definePlugin({
  name: 'normalize',
  description: 'Brings gradients to a norm, a largest magnitude, or a range.',
  role: 'shape',
  options: {
    norm: setting(
      finitePositive,
      undefined,
      'the norm that they get; 1 where nothing else is given',
    ),
    max: setting(finitePositive, undefined, 'the largest magnitude that they get'),
    low: setting(finite, undefined, 'the smallest number that they get; goes with high'),
    high: setting(finite, undefined, 'the largest number that they get; goes with low'),
    per: constant(oneOf('global', 'tensor'), 'global', 'all gradients together, or each alone'),
  },
  validate(_, { norm, max, low, high }) {
    const range = low !== undefined || high !== undefined;
    if ([norm !== undefined, max !== undefined, range].filter(Boolean).length > 1)
      refuse('normalize takes one of norm, max, and low with high', 'Leave the others out.');
    if (range && (low === undefined || high === undefined))
      refuse('normalize.low and normalize.high go together', 'Give both.');
    if (typeof low === 'number' && typeof high === 'number' && low >= high)
      refuse(`normalize.low (${low}) must be below normalize.high (${high})`);
  },
  transform(gradients, { op, metric }, { norm, max, low, high, per }) {
    const groups = per === 'global' ? [gradients] : gradients.map((gradient) => [gradient]);
    if (low !== undefined && high !== undefined)
      return groups.flatMap((group) => intoRange(op, group, low, high));
    const target = max ?? norm ?? op.scalar(1);
    const sizes = groups.map((group) =>
      max === undefined ? op.globalNorm(group) : largestOf(op, group),
    );
    metric(max === undefined ? 'norm' : 'largest', joined(op, sizes, max === undefined));
    return groups.flatMap((group, i) => {
      const divisor = op.Div(op.Add(sizes[i], epsilon), target);
      return group.map((gradient) => op.Div(gradient, op.cast(divisor, gradient.type)));
    });
  },
});

function refuse(problem: string, remedy?: string): never {
  throw new GradwareError('INVALID_OPTION', problem, remedy === undefined ? {} : { remedy });
}

type Reduction = 'ReduceMax' | 'ReduceMin';

function extreme(op: Op, group: readonly Value[], reduction: Reduction): Value {
  const own = group.flatMap((gradient) => {
    if (elementCount(gradient.shape) === 0) return [];
    const wide = op.cast(gradient, 'float32');
    return [wide.shape.length === 0 ? wide : op[reduction](wide, { keepdims: 0 })];
  });
  const [first, ...rest] = own;
  const combine = reduction === 'ReduceMax' ? op.Max : op.Min;
  return rest.reduce((all, each) => combine(all, each), first ?? op.scalar(0));
}

function largestOf(op: Op, group: readonly Value[]): Value {
  return group.length === 0 ? op.scalar(0) : op.ReduceMax(op.infNorms(group), { keepdims: 0 });
}

/** The size of everything, from the sizes of its parts. */
function joined(op: Op, sizes: readonly Value[], isNorm: boolean): Value {
  return isNorm ? op.globalNorm(sizes) : op.Max(...sizes);
}

function intoRange(op: Op, group: readonly Value[], low: Value, high: Value): readonly Value[] {
  const [least, most] = [extreme(op, group, 'ReduceMin'), extreme(op, group, 'ReduceMax')];
  const spread = op.Sub(most, least);
  const isFlat = op.Less(spread, smallestNormal);
  const width = op.Sub(high, low);
  const safe = op.Where(isFlat, 1, spread);
  const limited = op.Where(
    op.Less(least, low),
    low,
    op.Where(op.Greater(least, high), high, least),
  );
  const [factor, start] = [op.Where(isFlat, 0, width), op.Where(isFlat, limited, low)];
  return group.map((gradient) => {
    const as = (value: Value) => op.cast(value, gradient.type);
    const place = op.Div(op.Sub(gradient, as(least)), as(safe));
    return op.Add(op.Mul(place, as(factor)), as(start));
  });
}
