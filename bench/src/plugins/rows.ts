import type { GradientPlugin } from '@gradware/core';
import { accumulate } from '@gradware/plugin-accumulate';
import { adaptiveClip } from '@gradware/plugin-adaptive-clip';
import { autoClip } from '@gradware/plugin-auto-clip';
import { cast } from '@gradware/plugin-cast';
import { centralize } from '@gradware/plugin-centralize';
import { damp } from '@gradware/plugin-damp';
import { decompose } from '@gradware/plugin-decompose';
import { elastic } from '@gradware/plugin-elastic';
import { ema } from '@gradware/plugin-ema';
import { errorFeedback } from '@gradware/plugin-error-feedback';
import { freeze } from '@gradware/plugin-freeze';
import { l1 } from '@gradware/plugin-l1';
import { l2 } from '@gradware/plugin-l2';
import { lossScale } from '@gradware/plugin-loss-scale';
import { lowRank } from '@gradware/plugin-low-rank';
import { noise } from '@gradware/plugin-noise';
import { normClip } from '@gradware/plugin-norm-clip';
import { normalize } from '@gradware/plugin-normalize';
import { qsgd } from '@gradware/plugin-qsgd';
import { quantize } from '@gradware/plugin-quantize';
import { randomK } from '@gradware/plugin-random-k';
import { rmsClip } from '@gradware/plugin-rms-clip';
import { sign } from '@gradware/plugin-sign';
import { skipNonfinite } from '@gradware/plugin-skip-nonfinite';
import { terngrad } from '@gradware/plugin-terngrad';
import { threshold } from '@gradware/plugin-threshold';
import { topK } from '@gradware/plugin-top-k';
import { valueClip } from '@gradware/plugin-value-clip';
import { weightDecay } from '@gradware/plugin-weight-decay';
import { zClip } from '@gradware/plugin-z-clip';

/** A chain whose cost is measured. Where pytorch_plugins.py has one of the same name, it does the same. */
export interface Row {
  readonly name: string;
  readonly chain: () => readonly GradientPlugin[];
  /** The largest share of a step that it should take. */
  readonly bound?: number;
}

const four = () => [
  normClip({ maxNorm: 1 }),
  valueClip({ max: 0.1 }),
  quantize({ bits: 8 }),
  l2({ lambda: 1e-4 }),
];

const singles: Readonly<Record<string, () => GradientPlugin>> = {
  'loss-scale': () => lossScale(),
  'skip-nonfinite': () => skipNonfinite(),
  'accumulate, 4': () => accumulate({ n: 4 }),
  'cast, float16': () => cast(),
  'cast, bfloat16': () => cast({ to: 'bfloat16' }),
  'quantize, 8 bits': () => quantize(),
  'quantize, 8 bits, stochastic': () => quantize({ rounding: 'stochastic' }),
  qsgd: () => qsgd(),
  terngrad: () => terngrad(),
  sign: () => sign(),
  'top-k, 1 %': () => topK({ ratio: 0.01 }),
  'top-k, 10 %': () => topK({ ratio: 0.1 }),
  'random-k, 1 %': () => randomK({ ratio: 0.01 }),
  threshold: () => threshold(),
  'low-rank, 4': () => lowRank({ rank: 4 }),
  'error-feedback(top-k), 1 %': () => errorFeedback({ compressor: topK({ ratio: 0.01 }) }),
  'error-feedback(low-rank), 4': () => errorFeedback({ compressor: lowRank({ rank: 4 }) }),
  l1: () => l1(),
  l2: () => l2(),
  elastic: () => elastic(),
  centralize: () => centralize(),
  damp: () => damp(),
  decompose: () => decompose(),
  ema: () => ema(),
  normalize: () => normalize(),
  'adaptive-clip': () => adaptiveClip(),
  'auto-clip': () => autoClip(),
  'norm-clip': () => normClip(),
  'rms-clip': () => rmsClip(),
  'value-clip': () => valueClip({ max: 0.1 }),
  'value-clip, 1/e of the largest': () => valueClip({ ofLargest: 1 / Math.E }),
  'z-clip': () => zClip(),
  noise: () => noise(),
  'weight-decay': () => weightDecay(),
  'freeze, biases': () => freeze({ maxRank: 1 }),
};

const bounds: Readonly<Record<string, number>> = {
  'top-k, 1 %': 0.5,
  'top-k, 10 %': 0.5,
  'low-rank, 4': 0.5,
};

/** The empty chain against itself: what a difference of nothing looks like. */
export const nothing: Row = { name: 'nothing', chain: () => [] };

/** Everything that is measured, in the usual order of a chain. */
export const rows: readonly Row[] = [
  nothing,
  ...Object.entries(singles).map(
    ([name, make]): Row => ({
      name,
      chain: () => [make()],
      ...(bounds[name] !== undefined && { bound: bounds[name] }),
    }),
  ),
  { name: 'norm-clip, value-clip, quantize, l2', chain: four, bound: 0.15 },
];
