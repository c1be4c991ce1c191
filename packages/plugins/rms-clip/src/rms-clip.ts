import { definePlugin, elementCount, type Op, positive, setting, type Value } from '@gradware/core';

const largestFloat = 3.4028234e38;

/** Scales every gradient so that its root mean square is at most `maxRms`.
 *  g ← g / max(1, rms(g) / maxRms), with rms(g) = √(Σ g² / n)   (as optax.clip_by_block_rms; Adafactor, Shazeer and
 *  Stern 2018)
 *  `maxRms: Infinity` changes nothing and only reports. */
export const rmsClip = definePlugin({
  name: 'rms-clip',
  description: 'Scales each gradient so that its root mean square is at most a maximum.',
  role: 'clip',
  options: {
    maxRms: setting(positive, 1, 'largest root mean square; Infinity only reports'),
  },
  transform(gradients, { op, metric }, { maxRms }) {
    const rms = gradients.map((gradient) => rootMeanSquare(op, gradient));
    metric('largest-rms', op.Max(...rms));
    metric('fraction', fractionAbove(op, rms, maxRms));
    return gradients.map((gradient, i) =>
      op.Div(gradient, op.cast(excess(op, rms[i] as Value, maxRms), gradient.type)),
    );
  },
});

function rootMeanSquare(op: Op, gradient: Value): Value {
  const count = Math.max(1, elementCount(gradient.shape));
  return op.Div(op.globalNorm([gradient]), Math.sqrt(count));
}

/** max(1, rms / maxRms), NaN where rms is NaN, 1 where the maximum is infinite. Not `Max`: on some providers
 *  Max(NaN, 1) is 1, which would hide a gradient that is not a number. */
function excess(op: Op, rms: Value, maxRms: Value): Value {
  const ratio = op.Div(rms, maxRms);
  const limited = op.Where(op.LessOrEqual(ratio, 1), 1, ratio);
  return op.Where(op.Greater(maxRms, largestFloat), 1, limited);
}

function fractionAbove(op: Op, all: readonly Value[], limit: Value): Value {
  const above = all.map((each) => op.cast(op.Greater(each, limit), 'float32'));
  return op.Div(
    above.reduce((total, each) => op.Add(total, each)),
    all.length,
  );
}
