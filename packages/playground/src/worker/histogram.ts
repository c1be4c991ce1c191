import { binCount, binsPerDecade, lowestExponent } from '../shared/bins.js';
import type { Histogram } from '../shared/protocol.js';

/** Counts magnitudes by powers of ten; what is smaller or larger than all bins counts in the outermost. */
export function countMagnitudes(arrays: Iterable<Float32Array>): {
  readonly bins: readonly number[];
  readonly zeros: number;
} {
  const bins = new Array<number>(binCount).fill(0);
  let zeros = 0;
  for (const values of arrays)
    for (const value of values) {
      const magnitude = Math.abs(value);
      if (Number.isNaN(magnitude)) continue;
      if (magnitude === 0) zeros++;
      else {
        const bin = Math.floor((Math.log10(magnitude) - lowestExponent) * binsPerDecade);
        const place = Math.min(Math.max(bin, 0), binCount - 1);
        bins[place] = (bins[place] ?? 0) + 1;
      }
    }
  return { bins, zeros };
}

/** The histogram of the gradients before and after the chain. */
export function histogramOf(
  before: Iterable<Float32Array>,
  after: Iterable<Float32Array>,
): Histogram {
  const [a, b] = [countMagnitudes(before), countMagnitudes(after)];
  return { before: a.bins, after: b.bins, zerosBefore: a.zeros, zerosAfter: b.zeros };
}
