import { elementCount, float, int, ints, normalizeAxis } from '../value.js';
import { type DecompositionContext, decompositions } from './decomposition.js';

/** The sum that a fused residual norm begins with, and the norm of it. */
function skipNorm(
  context: DecompositionContext,
  opType: 'LayerNormalization' | 'SimplifiedLayerNormalization',
) {
  const { op, x, attributes, has } = context;
  const full = opType === 'LayerNormalization';
  const bias = full ? 4 : 3;
  const joined = op.Add(x[0], x[1]);
  const sum = has(bias) ? op.Add(joined, x[bias]) : joined;
  const [y, ...statistics] = op[opType](sum, x[2], full && has(3) ? x[3] : null, {
    axis: -1,
    epsilon: float(attributes, 'epsilon', 1e-12),
  });
  const [mean, deviation] = full ? statistics : [undefined, statistics[0]];
  return [y, mean, deviation, sum];
}

export const normalization = decompositions({
  'com.microsoft.SkipLayerNormalization': (context) => skipNorm(context, 'LayerNormalization'),
  'com.microsoft.SkipSimplifiedLayerNormalization': (context) =>
    skipNorm(context, 'SimplifiedLayerNormalization'),
  MeanVarianceNormalization({ op, x: [x], attributes }) {
    const axes = (ints(attributes, 'axes') ?? [0, 2, 3]).map((axis) =>
      normalizeAxis(axis, x.shape.length),
    );
    const centred = op.Sub(x, op.mean(x, axes, true));
    const variance = op.mean(op.Mul(centred, centred), axes, true);
    return [op.Div(centred, op.Add(op.Sqrt(variance), 1e-9))];
  },
  /** x / (bias + α · mean of x² over neighbouring channels)^β, with zeros beyond the first and the last channel. */
  LRN({ op, x: [x], attributes }) {
    const size = int(attributes, 'size', 1);
    const [batch = 0, channels = 0, ...spatial] = x.shape;
    const pixels = elementCount(spatial);
    const before = Math.floor((size - 1) / 2);
    const squares = op.reshape(op.Mul(x, x), [batch, 1, channels, pixels]);
    const means = op.AveragePool(squares, {
      kernel_shape: [size, 1],
      pads: [before, 0, size - 1 - before, 0],
      count_include_pad: 1,
    });
    const scaled = op.Mul(op.reshape(means, x.shape), float(attributes, 'alpha', 1e-4));
    const base = op.Add(scaled, float(attributes, 'bias', 1));
    return [op.Mul(x, op.Pow(base, -float(attributes, 'beta', 0.75)))];
  },
});
