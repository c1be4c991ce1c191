import {
  boolean,
  constant,
  definePlugin,
  elementCount,
  GradwareError,
  number,
  type Op,
  positive,
  ratio,
  setting,
  type Value,
} from '@gradware/core';

/** Limits every element of every gradient.
 *  g ← min(max(g, low), high), with low = -max and high = max where only `max` is given
 *  (as torch.nn.utils.clip_grad_value_ and optax.clip)
 *  With `ofLargest` the bound is this part of the largest magnitude of each tensor.
 *  A bound of Infinity does not bind; NaN stays NaN. */
export const valueClip = definePlugin({
  name: 'value-clip',
  description: 'Limits every element of the gradients to a range.',
  role: 'clip',
  elementwise: (_, { ofLargest }) => ofLargest === undefined,
  options: {
    max: setting(positive, undefined, 'largest absolute value; or give low and high'),
    low: setting(number, undefined, 'lower bound'),
    high: setting(number, undefined, 'upper bound'),
    ofLargest: setting(
      ratio,
      undefined,
      'largest absolute value, as a part of the largest magnitude of each tensor',
    ),
    reportFraction: constant(
      boolean,
      false,
      'reports the fraction of elements that were clipped; costs four passes',
    ),
  },
  validate(_, { max, low, high, ofLargest }) {
    const both = low !== undefined || high !== undefined;
    const given = [max !== undefined, both, ofLargest !== undefined].filter(Boolean).length;
    if (given === 0)
      refuse(
        'value-clip needs a bound',
        'Give max, or low and high, or one of the two, or ofLargest.',
      );
    if (given > 1)
      refuse('value-clip takes max, or low and high, or ofLargest, not both', 'Leave one out.');
    if (typeof low === 'number' && typeof high === 'number' && low > high)
      refuse(`value-clip.low (${low}) must not be above value-clip.high (${high})`);
  },
  transform(gradients, { op, metric }, { max, low, high, ofLargest, reportFraction }) {
    const clipped = gradients.map((gradient) => {
      const bound = ofLargest ? op.Mul(ofLargest, op.reshape(op.infNorms([gradient]), [])) : max;
      // A Clip without a bound would turn infinity into the largest float.
      const lower = (bound ? op.Neg(bound) : low) ?? op.scalar(Number.NEGATIVE_INFINITY);
      const upper = bound ?? high ?? op.scalar(Number.POSITIVE_INFINITY);
      return op.Clip(gradient, op.cast(lower, gradient.type), op.cast(upper, gradient.type));
    });
    if (reportFraction) metric('fraction', fractionChanged(op, gradients, clipped));
    return clipped;
  },
});

function refuse(problem: string, remedy?: string): never {
  throw new GradwareError('INVALID_OPTION', problem, remedy === undefined ? {} : { remedy });
}

/** How many of all elements are not what they were. NaN - NaN is not above 0, so NaN does not count. */
function fractionChanged(op: Op, before: readonly Value[], after: readonly Value[]): Value {
  const counts = before.map((gradient, i) =>
    op.sum(op.cast(op.Greater(op.Abs(op.Sub(gradient, after[i])), 0), 'float32')),
  );
  const total = before.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const changed = counts.reduce((sum, count) => op.Add(sum, count), op.scalar(0));
  return op.Div(changed, Math.max(1, total));
}
